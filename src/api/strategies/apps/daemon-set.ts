import type { DaemonSet, DaemonSetUpdateStrategy } from "#api/generated/types.ts";
import { checkWorkload } from "#api/strategies/apps/workload.ts";
import { fillPodTemplate } from "#api/strategies/core/pod/pod-defaults.ts";
import { podWarnings } from "#api/strategies/core/pod/pod-warnings.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import {
  checkAtMostWhole,
  checkCountOrPercent,
  checkNonNegative,
  isZeroCount,
} from "#api/validation/checks.ts";
import { checkImmutable, sameMeaning } from "#api/validation/equality.ts";
import type { Field } from "#api/validation/field.ts";
import { type Filling, type Given, objectIn, setWhereUnset } from "#api/validation/given.ts";

export const daemonSetStrategy = strategyFor<DaemonSet>({
  fillDefaults(daemonSet) {
    const spec = objectIn(daemonSet, "spec");
    setWhereUnset(spec, { revisionHistoryLimit: 10 });
    const update = objectIn(spec, "updateStrategy");
    setWhereUnset(update, { type: "RollingUpdate" });
    if (update.type === "RollingUpdate") {
      setWhereUnset(objectIn(update, "rollingUpdate"), { maxUnavailable: 1, maxSurge: 0 });
    }
    fillPodTemplate(spec.template);
    setTemplateGeneration(daemonSet, templateGenerationOf(daemonSet));
  },
  prepareForCreate(daemonSet) {
    daemonSet.status = {
      currentNumberScheduled: 0,
      desiredNumberScheduled: 0,
      numberMisscheduled: 0,
      numberReady: 0,
    };
    setTemplateGeneration(daemonSet, Math.max(1, templateGenerationOf(daemonSet)));
  },
  prepareForUpdate(daemonSet, old) {
    const changed = !sameMeaning(daemonSet.spec?.template, old.spec?.template);
    setTemplateGeneration(daemonSet, templateGenerationOf(old) + (changed ? 1 : 0));
  },
  validate(root, daemonSet) {
    const field = root.child("spec");
    checkWorkload(field, daemonSet.spec ?? {}, "daemonset");
    checkUpdateStrategy(field.child("updateStrategy"), daemonSet.spec?.updateStrategy ?? {});
  },
  validateUpdate(root, daemonSet, old) {
    checkImmutable(root.child("spec", "selector"), daemonSet.spec?.selector, old.spec?.selector);
  },
  validateStatusUpdate(root, daemonSet) {
    const field = root.child("status");
    for (const name of counts) checkNonNegative(field.child(name), daemonSet.status?.[name]);
  },
  warnings: (daemonSet) => podWarnings("spec.template.", daemonSet.spec?.template),
});

/** Kept from the days before `apps/v1`, which every client still gets to see. */
const templateGeneration = "deprecated.daemonset.template.generation";

function templateGenerationOf(daemonSet: Given<DaemonSet>): number {
  const text = daemonSet.metadata?.annotations?.[templateGeneration] ?? "";
  return /^\d{1,15}$/.test(text) ? Number(text) : 0;
}

function setTemplateGeneration(daemonSet: Filling<DaemonSet>, generation: number): void {
  const annotations = objectIn(objectIn(daemonSet, "metadata"), "annotations");
  annotations[templateGeneration] = String(generation);
}

const counts = [
  "currentNumberScheduled",
  "numberMisscheduled",
  "desiredNumberScheduled",
  "numberReady",
  "observedGeneration",
  "updatedNumberScheduled",
  "numberAvailable",
  "numberUnavailable",
] as const;

function checkUpdateStrategy(field: Field, strategy: Given<DaemonSetUpdateStrategy>): void {
  if (strategy.type === "OnDelete") return;
  if (strategy.type !== "RollingUpdate") {
    return field.child("type").notSupported(strategy.type ?? "", ["OnDelete", "RollingUpdate"]);
  }
  const rolling = strategy.rollingUpdate;
  const at = field.child("rollingUpdate");
  if (!rolling) return at.required();
  for (const name of ["maxUnavailable", "maxSurge"] as const) {
    checkCountOrPercent(at.child(name), rolling[name]);
    checkAtMostWhole(at.child(name), rolling[name]);
  }
  const unavailable = !isZeroCount(rolling.maxUnavailable);
  const surge = !isZeroCount(rolling.maxSurge);
  if (unavailable && surge) {
    at.child("maxSurge").invalid(
      rolling.maxSurge,
      "may not be set when maxUnavailable is non-zero",
    );
  }
  if (!unavailable && !surge) {
    at.child("maxUnavailable").required("cannot be 0 when maxSurge is 0");
  }
}
