import { matchCost } from "#api/cel/cost/call-cost.ts";
import { type FunctionRow, row } from "#api/cel/function.ts";
import { patternOf } from "#api/cel/library/strings.ts";

/** Kubernetes' library of regular expressions, which are RE2. */
export const patterns: readonly FunctionRow[] = [
  row(
    "find",
    "string.(string) string",
    (text: string, pattern: string) => patternOf(pattern).find(text, 1)[0] ?? "",
    {
      cost: matchCost(true),
    },
  ),
  row(
    "findAll",
    "string.(string) list(string)",
    (text: string, pattern: string) => patternOf(pattern).find(text, Infinity),
    {
      cost: matchCost(true),
    },
  ),
  row("findAll", "string.(string, int) list(string)", findSome, { cost: matchCost(true) }),
];

/** A negative limit is none. */
function findSome(text: string, pattern: string, limit: number): readonly string[] {
  return patternOf(pattern).find(text, limit < 0 ? Infinity : limit);
}
