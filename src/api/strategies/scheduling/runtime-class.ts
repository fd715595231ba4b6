import type { RuntimeClass } from "#api/generated/types.ts";
import { checkAmounts } from "#api/strategies/core/pod/resources.ts";
import { checkTolerations } from "#api/strategies/core/pod/tolerations.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkLabelName } from "#api/validation/checks.ts";
import { checkImmutable } from "#api/validation/equality.ts";
import { itemsOf } from "#api/validation/given.ts";
import { checkLabels } from "#api/validation/labels.ts";

export const runtimeClassStrategy = strategyFor<RuntimeClass>({
  createOnUpdate: true,
  unconditionalUpdate: false,
  hasGeneration: false,
  validate(root, runtimeClass) {
    checkLabelName(root.child("handler"), runtimeClass.handler);
    const { overhead, scheduling } = runtimeClass;
    if (overhead) checkAmounts(root.child("overhead", "podFixed"), overhead.podFixed);
    checkLabels(root.child("scheduling", "nodeSelector"), scheduling?.nodeSelector);
    checkTolerations(root.child("scheduling", "tolerations"), itemsOf(scheduling?.tolerations));
  },
  validateUpdate(root, runtimeClass, old) {
    checkImmutable(root.child("handler"), runtimeClass.handler, old.handler);
  },
});
