import type { SuccessPolicy } from "#api/generated/types.ts";
import { parseIndexes } from "#controllers/job/indexes.ts";

/** What to say of the first rule that the indexes which succeeded fulfil; undefined when none is. */
export function metSuccessPolicy(
  policy: SuccessPolicy | undefined,
  succeeded: ReadonlySet<number>,
): string | undefined {
  if (succeeded.size === 0) return undefined;
  const met = (policy?.rules ?? []).findIndex(({ succeededIndexes, succeededCount }) => {
    if (succeededIndexes === undefined) {
      return succeededCount !== undefined && succeeded.size >= succeededCount;
    }
    const required = parseIndexes(succeededIndexes);
    const there = required.intersection(succeeded).size;
    if (required.size === 0) return false;
    return there === required.size || (succeededCount !== undefined && there >= succeededCount);
  });
  return met < 0 ? undefined : `Matched rules at index ${met}`;
}
