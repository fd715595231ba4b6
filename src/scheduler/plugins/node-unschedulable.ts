import type { Plugin } from "#scheduler/framework.ts";
import { isTolerated } from "#reconcile/taints.ts";

const rejection = { reasons: ["node(s) were unschedulable"], unresolvable: true };
const cordon = { key: "node.kubernetes.io/unschedulable", effect: "NoSchedule" };

/** Keeps pods off cordoned nodes. */
export const nodeUnschedulable: Plugin = {
  name: "NodeUnschedulable",
  filter: ({ pod }, { node }) =>
    node.spec?.unschedulable && !isTolerated(pod.spec?.tolerations ?? [], cordon)
      ? rejection
      : undefined,
  helpedBy: (event) =>
    event.kind === "nodeAdded" ||
    (event.kind === "nodeChanged" && event.changes.has("unschedulable")),
};
