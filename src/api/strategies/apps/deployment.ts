import type { Deployment, DeploymentStrategy } from "#api/generated/types.ts";
import { checkWorkload } from "#api/strategies/apps/workload.ts";
import { fillPodTemplate } from "#api/strategies/core/pod/pod-defaults.ts";
import { podWarnings } from "#api/strategies/core/pod/pod-warnings.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import {
  checkAtMostWhole,
  checkCountOrPercent,
  checkNonNegative,
  checkOneOf,
  isZeroCount,
} from "#api/validation/checks.ts";
import { checkImmutable } from "#api/validation/equality.ts";
import type { Field } from "#api/validation/field.ts";
import { type Filling, type Given, objectIn, setWhereUnset } from "#api/validation/given.ts";

export const deploymentStrategy = strategyFor<Deployment>({
  generationMetadata: ["annotations"],
  fillDefaults,
  validate(root, deployment) {
    const spec = deployment.spec ?? {};
    const field = root.child("spec");
    checkWorkload(field, spec, "deployment");
    checkStrategy(field.child("strategy"), spec.strategy ?? {});
    const deadline = spec.progressDeadlineSeconds;
    checkNonNegative(field.child("progressDeadlineSeconds"), deadline);
    if (typeof deadline === "number" && deadline <= (spec.minReadySeconds ?? 0)) {
      field
        .child("progressDeadlineSeconds")
        .invalid(deadline, "must be greater than minReadySeconds");
    }
  },
  validateUpdate(root, deployment, old) {
    checkImmutable(root.child("spec", "selector"), deployment.spec?.selector, old.spec?.selector);
  },
  validateStatusUpdate(root, deployment) {
    const field = root.child("status");
    const { status } = deployment;
    for (const name of counts) checkNonNegative(field.child(name), status?.[name]);
    for (const name of partialCounts) {
      if ((status?.[name] ?? 0) > (status?.replicas ?? 0)) {
        field.child(name).invalid(status?.[name], "cannot be greater than status.replicas");
      }
    }
  },
  warnings: (deployment) => podWarnings("spec.template.", deployment.spec?.template),
});

const partialCounts = ["updatedReplicas", "readyReplicas", "availableReplicas"] as const;
const counts = ["observedGeneration", "replicas", "unavailableReplicas", ...partialCounts] as const;

function fillDefaults(deployment: Filling<Deployment>): void {
  const spec = objectIn(deployment, "spec");
  setWhereUnset(spec, { replicas: 1, revisionHistoryLimit: 10, progressDeadlineSeconds: 600 });
  const strategy = objectIn(spec, "strategy");
  setWhereUnset(strategy, { type: "RollingUpdate" });
  if (strategy.type === "RollingUpdate") {
    setWhereUnset(objectIn(strategy, "rollingUpdate"), { maxUnavailable: "25%", maxSurge: "25%" });
  }
  fillPodTemplate(spec.template);
}

function checkStrategy(field: Field, strategy: Given<DeploymentStrategy>): void {
  checkOneOf(field.child("type"), strategy.type, ["Recreate", "RollingUpdate"]);
  const at = field.child("rollingUpdate");
  const rolling = strategy.rollingUpdate;
  if (strategy.type === "Recreate" && rolling) {
    at.forbidden("may not be specified when strategy `type` is 'Recreate'");
  }
  if (strategy.type !== "RollingUpdate") return;
  if (!rolling) return at.required("this should be defaulted and never be nil");
  checkCountOrPercent(at.child("maxUnavailable"), rolling.maxUnavailable);
  checkCountOrPercent(at.child("maxSurge"), rolling.maxSurge);
  if (isZeroCount(rolling.maxUnavailable) && isZeroCount(rolling.maxSurge)) {
    at.child("maxUnavailable").invalid(
      rolling.maxUnavailable ?? 0,
      "may not be 0 when `maxSurge` is 0",
    );
  }
  checkAtMostWhole(at.child("maxUnavailable"), rolling.maxUnavailable);
}
