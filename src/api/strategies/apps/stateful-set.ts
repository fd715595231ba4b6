import type { StatefulSet, StatefulSetSpec } from "#api/generated/types.ts";
import { checkWorkload } from "#api/strategies/apps/workload.ts";
import { fillClaim } from "#api/strategies/core/persistent-volume-claim.ts";
import { fillPodTemplate } from "#api/strategies/core/pod/pod-defaults.ts";
import { podWarnings } from "#api/strategies/core/pod/pod-warnings.ts";
import { strategyFor } from "#api/strategies/strategy-for.ts";
import {
  checkCountOrPercent,
  checkNonNegative,
  checkOneOf,
  isZeroCount,
} from "#api/validation/checks.ts";
import { sameMeaning } from "#api/validation/equality.ts";
import type { Field } from "#api/validation/field.ts";
import {
  type Filling,
  type Given,
  itemsOf,
  objectIn,
  setWhereUnset,
} from "#api/validation/given.ts";

export const statefulSetStrategy = strategyFor<StatefulSet>({
  fillDefaults,
  validate(root, statefulSet) {
    const field = root.child("spec");
    const spec = statefulSet.spec ?? {};
    checkOneOf(field.child("podManagementPolicy"), spec.podManagementPolicy, [
      "OrderedReady",
      "Parallel",
    ]);
    checkUpdateStrategy(field.child("updateStrategy"), spec);
    const retention = spec.persistentVolumeClaimRetentionPolicy;
    for (const name of ["whenDeleted", "whenScaled"] as const) {
      const at = field.child("persistentVolumeClaimRetentionPolicy", name);
      if (retention) checkOneOf(at, retention[name], ["Delete", "Retain"]);
    }
    checkWorkload(field, { ...spec, template: templateInUse(spec) }, "statefulset");
    checkNonNegative(field.child("ordinals", "start"), spec.ordinals?.start);
  },
  validateUpdate(root, statefulSet, old) {
    const fixed = { ...statefulSet.spec };
    for (const name of changeable) Object.assign(fixed, { [name]: old.spec?.[name] });
    if (!sameMeaning(fixed, old.spec)) {
      root
        .child("spec")
        .forbidden(
          "updates to statefulset spec for fields other than 'replicas', 'ordinals', 'template', 'updateStrategy', 'revisionHistoryLimit', 'persistentVolumeClaimRetentionPolicy' and 'minReadySeconds' are forbidden",
        );
    }
  },
  validateStatusUpdate(root, statefulSet) {
    const { status } = statefulSet;
    const field = root.child("status");
    for (const name of counts) {
      checkNonNegative(field.child(name), status?.[name]);
      if (name !== "replicas" && (status?.[name] ?? 0) > (status?.replicas ?? 0)) {
        field.child(name).invalid(status?.[name], "cannot be greater than status.replicas");
      }
    }
  },
  warnings: (statefulSet) => podWarnings("spec.template.", statefulSet.spec?.template),
});

/** The template as pods are made of it: with a volume for each claim, without the names that the controller gives. */
function templateInUse(spec: Given<StatefulSetSpec>): Given<StatefulSetSpec>["template"] {
  const { template, volumeClaimTemplates } = spec;
  if (!template?.spec) return template;
  const claims = itemsOf(volumeClaimTemplates).map((claim) => {
    const name = claim.metadata?.name ?? "";
    return { name, persistentVolumeClaim: { claimName: name } };
  });
  const names = new Set(claims.map(({ name }) => name));
  const others = itemsOf(template.spec.volumes).filter(({ name }) => !names.has(name ?? ""));
  const { hostname: _hostname, subdomain: _subdomain, ...podSpec } = template.spec;
  return { ...template, spec: { ...podSpec, volumes: [...claims, ...others] } };
}

const counts = [
  "replicas",
  "readyReplicas",
  "currentReplicas",
  "updatedReplicas",
  "availableReplicas",
] as const;

const changeable = [
  "replicas",
  "ordinals",
  "template",
  "updateStrategy",
  "revisionHistoryLimit",
  "persistentVolumeClaimRetentionPolicy",
  "minReadySeconds",
] as const;

function fillDefaults(statefulSet: Filling<StatefulSet>): void {
  const spec = objectIn(statefulSet, "spec");
  setWhereUnset(spec, {
    podManagementPolicy: "OrderedReady",
    replicas: 1,
    revisionHistoryLimit: 10,
  });
  const update = objectIn(spec, "updateStrategy");
  setWhereUnset(update, { type: "RollingUpdate" });
  if (update.type === "RollingUpdate") {
    setWhereUnset(objectIn(update, "rollingUpdate"), { partition: 0 });
  }
  setWhereUnset(objectIn(spec, "persistentVolumeClaimRetentionPolicy"), {
    whenDeleted: "Retain",
    whenScaled: "Retain",
  });
  fillPodTemplate(spec.template);
  for (const claim of spec.volumeClaimTemplates ?? []) {
    if (!claim) continue;
    setWhereUnset(claim, { apiVersion: "v1", kind: "PersistentVolumeClaim" });
    fillClaim(claim);
  }
}

function checkUpdateStrategy(field: Field, spec: Given<StatefulSetSpec>): void {
  const { type, rollingUpdate } = spec.updateStrategy ?? {};
  if (!type) return field.required();
  if (type !== "OnDelete" && type !== "RollingUpdate") {
    return field.invalid(spec.updateStrategy, "must be 'RollingUpdate' or 'OnDelete'");
  }
  const at = field.child("rollingUpdate");
  if (type === "OnDelete") {
    if (rollingUpdate) {
      at.invalid(rollingUpdate, "only allowed for updateStrategy 'RollingUpdate'");
    }
    return;
  }
  checkNonNegative(at.child("partition"), rollingUpdate?.partition);
  const max = rollingUpdate?.maxUnavailable;
  if (max === undefined || max === null) return;
  checkCountOrPercent(at.child("maxUnavailable"), max);
  if (isZeroCount(max)) at.child("maxUnavailable").invalid(max, "cannot be 0");
}
