import type { Taint } from "#api/generated/types.ts";
import { normalizeByMax, type Plugin } from "#scheduler/framework.ts";
import { isTolerated } from "#reconcile/taints.ts";

const rejection = { reasons: ["node(s) had untolerated taint(s)"], unresolvable: true };

/** Keeps pods off nodes whose taints they do not tolerate, and prefers nodes without PreferNoSchedule taints. */
export const taintToleration: Plugin = {
  name: "TaintToleration",
  weight: 3,
  filter({ pod }, { node }) {
    const taints = node.spec?.taints;
    if (!taints) return undefined;
    const tolerations = pod.spec?.tolerations ?? [];
    const refuses = taints.some(
      (taint) =>
        (taint.effect === "NoSchedule" || taint.effect === "NoExecute") &&
        !isTolerated(tolerations, taint),
    );
    return refuses ? rejection : undefined;
  },
  preScore: (_pod, nodes) =>
    nodes.some(({ node }) => node.spec?.taints?.some(isSoft)) ? undefined : "skip",
  score({ pod }, { node }) {
    const tolerations = (pod.spec?.tolerations ?? []).filter(
      ({ effect }) => !effect || effect === "PreferNoSchedule",
    );
    return (node.spec?.taints ?? []).filter(
      (taint) => isSoft(taint) && !isTolerated(tolerations, taint),
    ).length;
  },
  normalize: (scores) => normalizeByMax(scores, true),
  helpedBy: (event) =>
    event.kind === "nodeAdded" || (event.kind === "nodeChanged" && event.changes.has("taints")),
};

function isSoft({ effect }: Taint): boolean {
  return effect === "PreferNoSchedule";
}
