import type { Pod } from "#api/generated/types.ts";
import type { Pressure } from "#agent/eviction/thresholds.ts";
import { isCritical } from "#agent/eviction/rank-pods.ts";
import type { PodEnd } from "#agent/pods/pod-observation.ts";
import type { ResizeAnswer } from "#agent/pods/resize-keeper.ts";
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
}

/** Why the node does not take a pod that is new to it, in upstream's words; undefined when it does. */
export function admitPod(
  pod: Pod,
  { refusal, pressures, security, others, allocatable }: AdmissionFacts,
): PodEnd | undefined {
  const refused = refusal ?? securityProblem(pod, security);
  if (refused) return refused;
  if (pressures.size > 0 && !isCritical(pod) && !bearsMemoryPressure(pod, pressures)) {
    return {
      reason: "Evicted",
      message: `The node had condition: [${[...pressures].join(" ")}]. `,
    };
  }
  const shortage = shortageOf(pod, others, allocatable);
  if (shortage) return { reason: `OutOf${shortage.resource}`, message: shortageText(shortage) };
  return undefined;
}

/** Whether a pod may have the resources that it asks for now. */
export function answerResize(
  pod: Pod,
  { others, allocatable }: Pick<AdmissionFacts, "others" | "allocatable">,
): ResizeAnswer {
  const alone = shortageOf(pod, [], allocatable);
  if (alone) {
    const { resource, requested, capacity } = alone;
    const message = `Node didn't have enough capacity: ${resource}, requested: ${requested}, capacity: ${capacity}`;
    return { kind: "refused", reason: "Infeasible", message };
  }
  const shortage = shortageOf(pod, others, allocatable);
  if (shortage === undefined) return { kind: "fits" };
  return { kind: "refused", reason: "Deferred", message: shortageText(shortage) };
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
