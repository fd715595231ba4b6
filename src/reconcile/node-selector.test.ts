import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { Node } from "#api/generated/types.ts";
import { matchesTerm } from "#reconcile/node-selector.ts";

const max = "9223372036854775807";
const min = "-9223372036854775808";

/** The label's value, the bound, and how the one is to the other where both are integers of 64 bits. */
const cases: readonly (readonly [string | undefined, string, "Gt" | "Lt" | "neither"])[] = [
  ["2", "1", "Gt"],
  ["1", "2", "Lt"],
  ["1", "1", "neither"],
  ["-2", "-1", "Lt"],
  ["+1", "0", "Gt"],
  ["007", "6", "Gt"],
  ["-0", "0", "neither"],
  // Alike as floating-point numbers.
  ["9007199254740993", "9007199254740992", "Gt"],
  ["9223372036854775806", max, "Lt"],
  [max, min, "Gt"],
  [`0000${max}`, max, "neither"],
  ["9223372036854775808", "0", "neither"],
  ["0", "-9223372036854775809", "neither"],
  ["99999999999999999999", "0", "neither"],
  ["1.5", "1", "neither"],
  ["1e3", "1", "neither"],
  ["0x10", "1", "neither"],
  ["1_000", "1", "neither"],
  ["", "-1", "neither"],
  ["-", "-1", "neither"],
  [undefined, "-1", "neither"],
];

test("matchesTerm() compares with Gt and Lt as integers of 64 bits, exactly", () => {
  const holds = (value: string | undefined, operator: string, bound: string): boolean => {
    const metadata = { name: "node", ...(value !== undefined && { labels: { key: value } }) };
    const node: Node = { apiVersion: "v1", kind: "Node", metadata };
    const matchExpressions = [{ key: "key", operator, values: [bound] }];
    return matchesTerm({ matchExpressions }, node);
  };
  deepEqual(
    cases.map(([value, bound]) => {
      const [more, less] = [holds(value, "Gt", bound), holds(value, "Lt", bound)];
      return [value, bound, more ? (less ? "both" : "Gt") : less ? "Lt" : "neither"];
    }),
    cases,
  );
});
