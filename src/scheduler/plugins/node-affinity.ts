import { normalizeByMax, type Plugin } from "#scheduler/framework.ts";
import { matchesRequired, matchesTerm, namedNodes } from "#reconcile/node-selector.ts";

const rejection = {
  reasons: ["node(s) didn't match Pod's node affinity/selector"],
  unresolvable: true,
};

/** `spec.nodeSelector`, and node affinity both required and preferred. */
export const nodeAffinity: Plugin = {
  name: "NodeAffinity",
  weight: 2,
  preFilter({ pod }) {
    const nodes = namedNodes(pod);
    return nodes && { nodes };
  },
  filter: ({ pod }, { node }) => (matchesRequired(pod, node) ? undefined : rejection),
  score({ pod }, { node }) {
    const preferred =
      pod.spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? [];
    return preferred.reduce(
      (sum, { weight, preference }) => sum + (matchesTerm(preference, node) ? weight : 0),
      0,
    );
  },
  normalize: (scores) => normalizeByMax(scores),
  helpedBy: (event) =>
    event.kind === "nodeAdded" || (event.kind === "nodeChanged" && event.changes.has("labels")),
};
