import type { Node, Pod } from "#api/generated/types.ts";
import { hostPortsOf, noFreePorts, portsClash } from "#reconcile/host-ports.ts";
import { matchesRequired } from "#reconcile/node-selector.ts";
import { isTolerated } from "#reconcile/taints.ts";
import type { PodEnd } from "#agent/pods/pod-observation.ts";
import { isStatic } from "#agent/static-pods/mirror-keeper.ts";

const systemLabel = "kubernetes.io/os";

/** Why a pod is for another operating system, in upstream's words. A label of the pod says it too. */
export function systemProblem({ metadata, spec }: Pod, system: string): PodEnd | undefined {
  const label = metadata.labels?.[systemLabel];
  if (label !== undefined && label !== system) {
    return {
      reason: "PodOSSelectorNodeLabelDoesNotMatch",
      message: "Failed to admit pod as the `kubernetes.io/os` label doesn't match node label",
    };
  }
  if (spec?.os !== undefined && spec.os.name !== system) {
    return {
      reason: "PodOSNotSupported",
      message: "Failed to admit pod as the OS field doesn't match node OS",
    };
  }
  return undefined;
}

/**
 * Why a pod must not be on a node, whoever put it there, in upstream's words: as the scheduler would find. Only taints
 * that drive out pods count, and none for static pods.
 */
export function placementProblem(
  pod: Pod,
  { node, others }: { readonly node: Node; readonly others: readonly Pod[] },
): PodEnd | undefined {
  if (!matchesRequired(pod, node)) {
    return predicate("NodeAffinity", "node(s) didn't match Pod's node affinity/selector");
  }
  const { nodeName } = pod.spec ?? {};
  if (nodeName && nodeName !== node.metadata.name) {
    return predicate("NodeName", "node(s) didn't match the requested node name");
  }
  if (!hasFreePorts(pod, others)) return predicate("NodePorts", noFreePorts);
  if (!isStatic(pod) && !bearsTaints(pod, node)) {
    return predicate("TaintToleration", "node(s) had taints that the pod didn't tolerate");
  }
  return undefined;
}

/** Whether the reason lies in the node's object, of which a newer state may say otherwise. */
export function dependsOnNode({ reason }: PodEnd): boolean {
  return reason === "NodeAffinity" || reason === "TaintToleration";
}

function predicate(reason: string, why: string): PodEnd {
  return { reason, message: `Predicate ${reason} failed: ${why}` };
}

function hasFreePorts(pod: Pod, others: readonly Pod[]): boolean {
  const wanted = hostPortsOf(pod);
  if (wanted.length === 0) return true;
  const taken = others.flatMap(hostPortsOf);
  return !wanted.some((one) => taken.some((other) => portsClash(one, other)));
}

function bearsTaints(pod: Pod, { spec }: Node): boolean {
  const tolerations = pod.spec?.tolerations ?? [];
  return (spec?.taints ?? []).every(
    (taint) => taint.effect !== "NoExecute" || isTolerated(tolerations, taint),
  );
}
