import type { PersistentVolumeClaim, Pod, StatefulSet } from "#api/generated/types.ts";
import { nameOf, namespaceOf } from "#api/meta.ts";
import { revisionHashLabel } from "#controllers/revision-history/revision-history.ts";

/** What makes a pod one of a StatefulSet: its stable name, host name and volumes. */
export function withIdentity(
  pod: Pod,
  set: StatefulSet,
  { ordinal, revision }: { readonly ordinal: number; readonly revision: string },
): Pod {
  const name = podName(set, ordinal);
  const claims = claimsFor(set, ordinal).map((claim, index) => ({
    name: set.spec?.volumeClaimTemplates?.[index]?.metadata.name ?? "",
    persistentVolumeClaim: { claimName: nameOf(claim) },
  }));
  const own = new Set(claims.map((volume) => volume.name));
  const others = (pod.spec?.volumes ?? []).filter((volume) => !own.has(volume.name));
  const volumes = [...claims, ...others];
  return {
    ...pod,
    metadata: {
      ...pod.metadata,
      labels: {
        ...pod.metadata.labels,
        [revisionHashLabel]: revision,
        "statefulset.kubernetes.io/pod-name": name,
        "apps.kubernetes.io/pod-index": String(ordinal),
      },
    },
    spec: {
      ...(pod.spec ?? { containers: [] }),
      hostname: name,
      ...(set.spec?.serviceName && { subdomain: set.spec.serviceName }),
      ...(volumes.length > 0 && { volumes }),
    },
  };
}

export function podName(set: StatefulSet, ordinal: number): string {
  return `${nameOf(set)}-${ordinal}`;
}

/** The claims of one pod; they outlive it. */
export function claimsFor(set: StatefulSet, ordinal: number): readonly PersistentVolumeClaim[] {
  return (set.spec?.volumeClaimTemplates ?? []).map((template) => ({
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: {
      ...template.metadata,
      name: `${template.metadata.name ?? ""}-${podName(set, ordinal)}`,
      namespace: namespaceOf(set),
      labels: { ...template.metadata.labels, ...set.spec?.selector.matchLabels },
    },
    ...(template.spec && { spec: template.spec }),
  }));
}
