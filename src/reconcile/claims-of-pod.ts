import type { Pod } from "#api/generated/types.ts";
import { nameOf, namespaceOf } from "#api/meta.ts";

/** Names of the claims that a pod uses, those made for its ephemeral volumes among them. */
export function claimsOfPod(pod: Pod): readonly string[] {
  return (pod.spec?.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
    if (persistentVolumeClaim) return [persistentVolumeClaim.claimName];
    return ephemeral ? [`${nameOf(pod)}-${name}`] : [];
  });
}

/** Pods by the claims they use. */
export const podClaimIndex = {
  claim: (pod: Pod): readonly string[] =>
    claimsOfPod(pod).map((claim) => `${namespaceOf(pod)}/${claim}`),
};
