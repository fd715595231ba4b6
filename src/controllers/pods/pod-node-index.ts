import type { Pod } from "#api/generated/types.ts";

/** Pods by the node they are on. */
export const podNodeIndex = {
  node: (pod: Pod): readonly string[] => (pod.spec?.nodeName ? [pod.spec.nodeName] : []),
};
