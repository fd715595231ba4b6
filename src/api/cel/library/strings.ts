import {
  affixCost,
  type CallCost,
  containsCost,
  listWalkCost,
  matchCost,
  traversal,
} from "#api/cel/cost/call-cost.ts";
import { joinCost, replaceCost, splitCost } from "#api/cel/cost/text-costs.ts";
import { type FunctionRow, row } from "#api/cel/function.ts";
import { lettersOf as lettersIn } from "#api/cel/equality.ts";
import { formatText } from "#api/cel/library/format-text.ts";
import { EvaluationError, type Value } from "#api/cel/value.ts";
import { compilePattern } from "#api/custom/pattern.ts";

const sameSize: { readonly cost: CallCost } = { cost: traversal(0.1, true) };

/** Texts: what the language has, and the second version of its library of strings. */
export const strings: readonly FunctionRow[] = [
  row("contains", "string.(string) bool", (text: string, part: string) => text.includes(part), {
    cost: containsCost,
  }),
  row("endsWith", "string.(string) bool", (text: string, part: string) => text.endsWith(part), {
    cost: affixCost,
  }),
  row("startsWith", "string.(string) bool", (text: string, part: string) => text.startsWith(part), {
    cost: affixCost,
  }),
  row("matches", "string.(string) bool", matches, { cost: matchCost(false) }),
  row("matches", "(string, string) bool", matches),
  row("charAt", "string.(int) string", charAt),
  row("indexOf", "string.(string) int", (text: string, part: string) => indexOf(text, part, 0), {
    cost: listWalkCost,
  }),
  row("indexOf", "string.(string, int) int", indexOf, { cost: listWalkCost }),
  row("lastIndexOf", "string.(string) int", lastIndexOf, { cost: listWalkCost }),
  row("lastIndexOf", "string.(string, int) int", lastIndexOf, { cost: listWalkCost }),
  row(
    "lowerAscii",
    "string.() string",
    (text: string) => text.replace(/[A-Z]+/g, (run) => run.toLowerCase()),
    sameSize,
  ),
  row(
    "upperAscii",
    "string.() string",
    (text: string) => text.replace(/[a-z]+/g, (run) => run.toUpperCase()),
    sameSize,
  ),
  row("trim", "string.() string", trim, sameSize),
  row("substring", "string.(int) string", substring, sameSize),
  row("substring", "string.(int, int) string", substring, sameSize),
  row("replace", "string.(string, string) string", replace, { cost: replaceCost }),
  row("replace", "string.(string, string, int) string", replace, { cost: replaceCost }),
  row("split", "string.(string) list(string)", split, { cost: splitCost }),
  row("split", "string.(string, int) list(string)", split, { cost: splitCost }),
  row("join", "list(string).() string", join, { cost: joinCost }),
  row("join", "list(string).(string) string", join, { cost: joinCost }),
  row("format", "string.(list(dyn)) string", formatText, { cost: traversal() }),
  row("strings.quote", "(string) string", quote, { cost: traversal() }),
];

/** What Go takes for space: not the byte order mark. */
const spaces = String.raw`[\t-\r \x85\xa0\u1680\u2000-\u200a\u2028\u2029\u202f\u205f\u3000]+`;
const leading = new RegExp(`^${spaces}`);
const trailing = new RegExp(`(?<!${spaces.slice(0, -1)})${spaces}$`);

function trim(text: string): string {
  return text.replace(leading, "").replace(trailing, "");
}

function matches(text: string, pattern: string): boolean {
  return patternOf(pattern).test(text);
}

/** Throws an `EvaluationError` with Go's text where the pattern is none. */
export function patternOf(pattern: string): ReturnType<typeof compilePattern> {
  try {
    return compilePattern(pattern);
  } catch (error) {
    throw new EvaluationError(error instanceof Error ? error.message : "bad pattern");
  }
}

/** Indexes count characters. Texts without surrogates, which are nearly all, need no list of them. */
function lettersOf(text: string): string | readonly string[] {
  return /[\ud800-\udfff]/.test(text) ? Array.from(text) : text;
}

function textOf(letters: string | readonly string[]): string {
  return typeof letters === "string" ? letters : letters.join("");
}

function charAt(text: string, index: number): string {
  const letters = lettersOf(text);
  if (index < 0 || index > letters.length) throw outOfRange(index);
  return letters[index] ?? "";
}

function indexOf(text: string, part: string, from: number): number {
  const letters = lettersOf(text);
  if (from < 0 || from > letters.length) {
    if (part === "" && from >= 0) return from;
    throw outOfRange(from);
  }
  if (typeof letters === "string") return letters.indexOf(part, from);
  const before = letters.slice(0, from).join("").length;
  return lettersBefore(text, text.indexOf(part, before));
}

function lastIndexOf(text: string, part: string, from?: number): number {
  const letters = lettersOf(text);
  if (from !== undefined && (from < 0 || from > letters.length)) {
    if (part === "" && from >= 0) return letters.length;
    throw outOfRange(from);
  }
  if (typeof letters === "string") return letters.lastIndexOf(part, from);
  const before = from === undefined ? text.length : letters.slice(0, from).join("").length;
  return lettersBefore(text, text.lastIndexOf(part, before));
}

function lettersBefore(text: string, index: number): number {
  return index < 0 ? -1 : lettersIn(text.slice(0, index));
}

function substring(text: string, from: number, to?: number): string {
  const letters = lettersOf(text);
  const end = to ?? letters.length;
  if (from < 0 || from > letters.length) throw outOfRange(from);
  if (end < 0 || end > letters.length) throw outOfRange(end);
  if (from > end) {
    throw new EvaluationError(`invalid substring range. start: ${from}, end: ${end}`);
  }
  return textOf(letters.slice(from, end));
}

function outOfRange(index: number): EvaluationError {
  return new EvaluationError(`index out of range: ${index}`);
}

/** A text that replacing, joining or formatting makes may be this long. */
const resultLettersMax = 2 ** 24;

function replace(text: string, part: string, by: string, limit = -1): string {
  if (limit === 0 || part === by) return text;
  const parts = part === "" ? ["", ...Array.from(text), ""] : text.split(part);
  const kept = limit < 0 || parts.length <= limit + 1 ? parts : cutOff(parts, limit, part);
  return join(kept, by);
}

/** The first pieces apart, the rest as it was. */
function cutOff(parts: readonly string[], pieces: number, by: string): string[] {
  return [...parts.slice(0, pieces), parts.slice(pieces).join(by)];
}

function split(text: string, by: string, limit = -1): Value {
  if (limit === 0) return [];
  const parts = by === "" ? Array.from(text) : text.split(by);
  return limit < 0 || parts.length <= limit ? parts : cutOff(parts, limit - 1, by);
}

function join(parts: readonly Value[], by = ""): string {
  let length = by.length * parts.length;
  const texts = parts.map((part) => {
    if (typeof part !== "string") throw new EvaluationError("no such overload");
    length += part.length;
    return part;
  });
  if (length > resultLettersMax) throw new EvaluationError("the text would be too long");
  return texts.join(by);
}

const escapes: Readonly<Record<string, string>> = {
  "\x07": String.raw`\a`,
  "\b": String.raw`\b`,
  "\f": String.raw`\f`,
  "\n": String.raw`\n`,
  "\r": String.raw`\r`,
  "\t": String.raw`\t`,
  "\v": String.raw`\v`,
  "\\": String.raw`\\`,
  '"': String.raw`\"`,
};

function quote(text: string): string {
  const whole = text.toWellFormed();
  // oxlint-disable-next-line no-control-regex -- these are the characters that have names.
  return `"${whole.replace(/[\x07\b\f\n\r\t\v\\"]/g, (letter) => escapes[letter] ?? letter)}"`;
}
