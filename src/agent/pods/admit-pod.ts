import type { Node, Pod } from "#api/generated/types.ts";
import type { Pressure } from "#agent/eviction/thresholds.ts";
import { isCritical } from "#agent/eviction/rank-pods.ts";
import { amountOf } from "#agent/pods/pod-amounts.ts";
import { placementProblem, systemProblem } from "#agent/pods/node-predicates.ts";
import { findContainer, podContainers } from "#agent/pods/pod-containers.ts";
import { isTerminal, isTerminating, type PodEnd } from "#agent/pods/pod-observation.ts";
import type { PodParts } from "#agent/pods/pod-parts.ts";
import type { ResizeAnswer } from "#agent/pods/resize-told.ts";
import { shortageOf, shortageText } from "#agent/pods/room.ts";
import { securityProblem, type SecurityFacts } from "#agent/pods/security-admission.ts";
import { qosClassOf } from "#agent/pods/qos-class.ts";

export interface AdmissionFacts {
  /** Why no pod is taken any more. */
  readonly refusal?: PodEnd | undefined;
  readonly pressures: ReadonlySet<Pressure>;
  readonly security: SecurityFacts;
  /** The pods that the node has taken already. */
  readonly others: readonly Pod[];
  readonly allocatable: Readonly<Record<string, string>>;
  /** As far as it is known here. */
  readonly node: Node;
  /** The operating system: `linux`. */
  readonly system: string;
}

/** Asks whether a pod that is new here may run, and tells why not; what runs already stays. */
export async function admitNew(
  { view, admit, recorder }: Pick<PodParts, "view" | "admit" | "recorder">,
  pod: Pod,
): Promise<PodEnd | undefined> {
  const isNew = view.sandboxesOf(pod.metadata.uid ?? "").length === 0;
  if (!isNew || isTerminal(pod) || isTerminating(pod)) return undefined;
  const refusal = await admit(pod);
  if (refusal === undefined) return undefined;
  const { reason, message } = refusal;
  recorder.record(pod, { type: "Warning", reason, message });
  return { ...refusal, message: `Pod was rejected: ${message}`, isRefusal: true };
}

/**
 * Why the node does not take a pod that is new to it, in upstream's words; undefined when it does. A critical pod is not
 * refused for want of resources: others must make room.
 */
export function admitPod(pod: Pod, facts: AdmissionFacts): PodEnd | undefined {
  const { refusal, pressures, security, others, allocatable, system } = facts;
  const refused = refusal ?? securityProblem(pod, security);
  if (refused) return refused;
  if (pressures.size > 0 && !isCritical(pod) && !bearsMemoryPressure(pod, pressures)) {
    return {
      reason: "Evicted",
      message: `The node had condition: [${[...pressures].join(" ")}]. `,
    };
  }
  const misplaced = systemProblem(pod, system);
  if (misplaced) return misplaced;
  const shortage = isCritical(pod) ? undefined : shortageOf(pod, others, allocatable);
  if (shortage) return { reason: `OutOf${shortage.resource}`, message: shortageText(shortage) };
  return placementProblem(pod, facts);
}

export interface ResizeFacts extends Pick<AdmissionFacts, "others" | "allocatable"> {
  /** The pod with the resources that it has been promised so far. */
  readonly granted: Pod;
  readonly cpuManagerPolicy: string;
}

/** Whether a pod may have the resources that it asks for now. What no node like this has the API refuses before. */
export function answerResize(
  pod: Pod,
  { granted, others, allocatable, cpuManagerPolicy }: ResizeFacts,
): ResizeAnswer {
  const isPinned = cpuManagerPolicy === "static" && qosClassOf(pod) === "Guaranteed";
  if (isPinned && !sameCpuRequests(pod, granted)) {
    const message = `Resize is infeasible for Guaranteed Pods alongside CPU Manager policy "static"`;
    return { kind: "refused", reason: "Infeasible", message };
  }
  const shortage = shortageOf(pod, others, allocatable);
  if (shortage === undefined) return { kind: "fits" };
  return { kind: "refused", reason: "Deferred", message: shortageText(shortage) };
}

function sameCpuRequests(pod: Pod, granted: Pod): boolean {
  return podContainers(pod).every(({ spec }) => {
    const before = findContainer(granted, spec.name)?.spec;
    return (
      before !== undefined &&
      amountOf(spec, "requests", "cpu") === amountOf(before, "requests", "cpu")
    );
  });
}

/** Short of memory alone, a node still takes pods that say what they need, and those that tolerate it. */
function bearsMemoryPressure(pod: Pod, pressures: ReadonlySet<Pressure>): boolean {
  if (pressures.size > 1 || !pressures.has("MemoryPressure")) return false;
  if (qosClassOf(pod) !== "BestEffort") return true;
  return (pod.spec?.tolerations ?? []).some(
    ({ key = "", effect = "", operator = "Equal", value = "" }) =>
      (effect === "" || effect === "NoSchedule") &&
      ((key === "" && operator === "Exists") ||
        (key === "node.kubernetes.io/memory-pressure" && (operator === "Exists" || value === ""))),
  );
}
