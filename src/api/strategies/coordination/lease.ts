import type { Lease } from "#api/generated/types.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkNonNegative, checkPositive } from "#api/validation/checks.ts";

export const leaseStrategy = strategyFor<Lease>({
  createOnUpdate: true,
  unconditionalUpdate: false,
  validate(root, lease) {
    const field = root.child("spec");
    checkPositive(field.child("leaseDurationSeconds"), lease.spec?.leaseDurationSeconds);
    checkNonNegative(field.child("leaseTransitions"), lease.spec?.leaseTransitions);
    if (lease.spec?.holderIdentity === "") {
      field.child("holderIdentity").invalid("", "must not be empty");
    }
  },
});
