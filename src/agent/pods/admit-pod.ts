import type { Pod } from "#api/generated/types.ts";
import type { Pressure } from "#agent/eviction/thresholds.ts";
import { isCritical } from "#agent/eviction/rank-pods.ts";
import type { PodEnd } from "#agent/pods/pod-observation.ts";
import { qosClassOf } from "#agent/pods/qos-class.ts";

export interface AdmissionFacts {
  readonly pressures: ReadonlySet<Pressure>;
}

/** Why the node does not take a pod that is new to it, in upstream's words; undefined when it does. */
export function admitPod(pod: Pod, { pressures }: AdmissionFacts): PodEnd | undefined {
  if (pressures.size > 0 && !isCritical(pod) && !bearsMemoryPressure(pod, pressures)) {
    return {
      reason: "Evicted",
      message: `The node had condition: [${[...pressures].join(" ")}]. `,
    };
  }
  return undefined;
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
