import type { DaemonSet, Node, NodeAffinity, Pod, Toleration } from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { revisionHashLabel } from "#controllers/revision-history/revision-history.ts";
import { matchesRequired } from "#reconcile/node-selector.ts";
import { isTolerated } from "#reconcile/taints.ts";

/** Whether a node is meant to have a daemon, and whether one that it has may stay. */
export interface Fitness {
  readonly run: boolean;
  readonly stay: boolean;
}

export function fitnessOf(set: DaemonSet, node: Node): Fitness {
  const pod = withDaemonForm(templatePod(set), nameOf(node), "");
  const named = set.spec?.template.spec?.nodeName;
  if ((named && named !== nameOf(node)) || !matchesRequired(templatePod(set), node)) {
    return { run: false, stay: false };
  }
  const tolerations = pod.spec?.tolerations ?? [];
  const refusing = (node.spec?.taints ?? []).filter((taint) => !isTolerated(tolerations, taint));
  return {
    run: !refusing.some(({ effect }) => effect === "NoSchedule" || effect === "NoExecute"),
    stay: !refusing.some(({ effect }) => effect === "NoExecute"),
  };
}

/** A daemon's pod is bound to its node by affinity, and stays through the node's troubles. */
export function withDaemonForm(pod: Pod, nodeName: string, hash: string): Pod {
  const spec = pod.spec ?? { containers: [] };
  const added = spec.hostNetwork ? [...daemonTolerations, networkToleration] : daemonTolerations;
  const { labels = {} } = pod.metadata;
  return {
    ...pod,
    metadata: { ...pod.metadata, labels: { ...labels, [revisionHashLabel]: hash } },
    spec: {
      ...spec,
      affinity: {
        ...spec.affinity,
        nodeAffinity: boundTo(spec.affinity?.nodeAffinity, nodeName),
      },
      tolerations: [...(spec.tolerations ?? []), ...added],
    },
  };
}

/** The node a daemon's pod is for, bound already or not. */
export function nodeOfDaemon({ spec }: Pod): string {
  if (spec?.nodeName) return spec.nodeName;
  const required = spec?.affinity?.nodeAffinity?.requiredDuringSchedulingIgnoredDuringExecution;
  const field = required?.nodeSelectorTerms[0]?.matchFields?.find(
    ({ key }) => key === "metadata.name",
  );
  return field?.values?.[0] ?? "";
}

function boundTo(affinity: NodeAffinity | undefined, nodeName: string): NodeAffinity {
  const matchFields = [{ key: "metadata.name", operator: "In", values: [nodeName] }];
  return {
    ...affinity,
    requiredDuringSchedulingIgnoredDuringExecution: { nodeSelectorTerms: [{ matchFields }] },
  };
}

function templatePod(set: DaemonSet): Pod {
  const { spec, metadata = {} } = set.spec?.template ?? {};
  return { apiVersion: "v1", kind: "Pod", metadata, ...(spec && { spec }) };
}

const tolerating = (name: string, effect: string): Toleration => ({
  key: `node.kubernetes.io/${name}`,
  operator: "Exists",
  effect,
});

const daemonTolerations: readonly Toleration[] = [
  tolerating("not-ready", "NoExecute"),
  tolerating("unreachable", "NoExecute"),
  tolerating("disk-pressure", "NoSchedule"),
  tolerating("memory-pressure", "NoSchedule"),
  tolerating("pid-pressure", "NoSchedule"),
  tolerating("unschedulable", "NoSchedule"),
];
const networkToleration = tolerating("network-unavailable", "NoSchedule");
