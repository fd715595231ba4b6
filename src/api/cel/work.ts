import { CostExceededError } from "#api/cel/value.ts";

// Some operations cost one by upstream's count and yet walk through all of a text or list: its size, two lists joined,
// deep equality. Repeated in a loop they could take minutes within the cost that an expression has. Their steps are
// counted apart, and an expression that needs more than anybody means ends as one that costs too much.

/** For one evaluation: some tenths of a second at most. */
const stepsMax = 30_000_000;

/** Infinite outside of evaluations: what calls these functions otherwise is not limited. */
let stepsLeft = Infinity;

/** Counts steps of a few nanoseconds. */
export function work(steps: number): void {
  stepsLeft -= steps;
  if (stepsLeft < 0) throw new CostExceededError();
}

/** Runs an evaluation within its limit, or several within one; what runs within another shares its limit. */
export function withinLimit<T>(run: () => T, steps = stepsMax): T {
  if (stepsLeft !== Infinity) return run();
  stepsLeft = steps;
  try {
    return run();
  } finally {
    stepsLeft = Infinity;
  }
}
