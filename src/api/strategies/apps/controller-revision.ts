import type { ControllerRevision } from "#api/generated/types.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import { checkNonNegative } from "#api/validation/checks.ts";
import { checkImmutable } from "#api/validation/equality.ts";

export const controllerRevisionStrategy = strategyFor<ControllerRevision>({
  validate(root, revision) {
    if (!revision.data) root.child("data").required("data is mandatory");
    checkNonNegative(root.child("revision"), revision.revision);
  },
  validateUpdate(root, revision, old) {
    checkImmutable(root.child("data"), revision.data, old.data);
  },
});
