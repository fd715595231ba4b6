import type { PriorityClass } from "#api/generated/types.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkOneOfIfSet } from "#api/validation/checks.ts";
import { checkImmutable } from "#api/validation/equality.ts";

const userMaxValue = 1_000_000_000;
const systemValues: Readonly<Record<string, number>> = {
  "system-cluster-critical": 2_000_000_000,
  "system-node-critical": 2_000_001_000,
};

export const priorityClassStrategy = strategyFor<PriorityClass>({
  hasGeneration: true,
  fillDefaults(priorityClass) {
    priorityClass.preemptionPolicy ??= "PreemptLowerPriority";
  },
  validate(root, priorityClass) {
    const name = priorityClass.metadata?.name ?? "";
    const value = priorityClass.value ?? 0;
    if (name.startsWith("system-")) {
      if (systemValues[name] !== value) {
        root
          .child("metadata", "name")
          .forbidden(
            "priority class names with 'system-' prefix are reserved for system use only. error: " +
              (systemValues[name] === undefined
                ? `${name} is not a known system priority class`
                : `value of ${name} PriorityClass must be ${systemValues[name]}`),
          );
      }
    } else if (value > userMaxValue) {
      root
        .child("value")
        .forbidden(`maximum allowed value of a user defined priority is ${userMaxValue}`);
    }
    checkOneOfIfSet(root.child("preemptionPolicy"), priorityClass.preemptionPolicy, [
      "PreemptLowerPriority",
      "Never",
    ]);
  },
  validateUpdate(root, priorityClass, old) {
    if ((priorityClass.value ?? 0) !== (old.value ?? 0)) {
      root.child("value").forbidden("may not be changed in an update.");
    }
    checkImmutable(
      root.child("preemptionPolicy"),
      priorityClass.preemptionPolicy,
      old.preemptionPolicy,
    );
  },
});
