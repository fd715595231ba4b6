import type { Pod, PreferredSchedulingTerm } from "#api/generated/types.ts";
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
    const { nodeSelector, affinity } = pod.spec ?? {};
    if (!nodeSelector && !affinity?.nodeAffinity) return "skip";
    const nodes = namedNodes(pod);
    return nodes && { nodes };
  },
  filter: ({ pod }, { node }) => (matchesRequired(pod, node) ? undefined : rejection),
  preScore: ({ pod }) => (preferredOf(pod).length === 0 ? "skip" : undefined),
  score({ pod }, { node }) {
    return preferredOf(pod).reduce(
      (sum, { weight, preference }) => sum + (matchesTerm(preference, node) ? weight : 0),
      0,
    );
  },
  normalize: (scores) => normalizeByMax(scores),
  helpedBy: (event) =>
    event.kind === "nodeAdded" || (event.kind === "nodeChanged" && event.changes.has("labels")),
};

const none: readonly PreferredSchedulingTerm[] = [];

function preferredOf({ spec }: Pod): readonly PreferredSchedulingTerm[] {
  return spec?.affinity?.nodeAffinity?.preferredDuringSchedulingIgnoredDuringExecution ?? none;
}
