import type { Pod } from "#api/generated/types.ts";
import { parseQuantity } from "#api/quantity.ts";
import { findContainer, type PodContainer } from "#agent/pods/pod-containers.ts";
import type { PodParts } from "#agent/pods/pod-parts.ts";

const simulationPrefix = "simulated.kogge.dev/";

/**
 * How a container behaves where it is only simulated: what the pod's annotations say. Without them, containers that are
 * meant to end do so after a second, and each uses half of what it requests.
 */
export function simulationOf(pod: Pod, { role, spec }: PodContainer): Record<string, string> {
  const ends = role === "init" || (role === "app" && pod.spec?.restartPolicy !== "Always");
  const given = Object.entries(pod.metadata.annotations ?? {})
    .filter(([key]) => key.startsWith(simulationPrefix))
    .map(([key, value]) => [key.slice(simulationPrefix.length), value] as const)
    // What is said of all containers is meant for those that make up the pod.
    .filter(([key]) => role === "app" || key.includes("."));
  const { cpu, memory } = spec.resources?.requests ?? {};
  return {
    ...(ends && { "run-seconds": "1" }),
    ...(cpu && { cpu: halfOf(cpu) }),
    ...(memory && { memory: halfOf(memory) }),
    ...Object.fromEntries(given),
  };
}

/** Tells simulated containers that the pod's annotations have changed. */
export function simulate({ runtime, view }: Pick<PodParts, "runtime" | "view">, pod: Pod): void {
  if (runtime.simulate === undefined) return;
  for (const { id, name } of view.containersOf(pod.metadata.uid ?? "")) {
    const container = findContainer(pod, name);
    if (container) runtime.simulate(id, simulationOf(pod, container));
  }
}

/** In billionths, as a quantity is written. */
function halfOf(quantity: string): string {
  return `${parseQuantity(quantity).nano / 2n}n`;
}
