import type { Pod } from "#api/generated/types.ts";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { isTerminal, type PodEnd } from "#agent/pods/pod-observation.ts";
import { planShutdown, type ShutdownGroup } from "#agent/shutdown/plan-shutdown.ts";

export interface ShutdownParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly groups: readonly ShutdownGroup[];
  readonly pods: () => readonly Pod[];
  readonly end: (pod: Pod, end: PodEnd) => Promise<void>;
}

/** What a pod that comes while the node shuts down is told. */
export const shutdownRefusal: PodEnd = {
  reason: "NodeShutdown",
  message: "Pod was rejected as the node is shutting down.",
};

const message = "Pod was terminated in response to imminent node shutdown.";

/** Ends the node's pods, group after group, each within its own time. */
export async function shutDownNode(parts: ShutdownParts): Promise<void> {
  const { clock, log } = parts;
  const running = parts.pods().filter((pod) => !isTerminal(pod));
  for (const { pods, graceSeconds, priority } of planShutdown(parts.groups, running)) {
    if (pods.length === 0) continue;
    log.info("pods end for the node's shutdown", { pods: pods.length, priority, graceSeconds });
    const disruption = { reason: "TerminationByKubelet", message };
    const end: PodEnd = { reason: "Terminated", message, graceSeconds, disruption };
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancel = clock.after(graceSeconds * 1000, resolve);
    await Promise.race([Promise.all(pods.map((pod) => parts.end(pod, end))), late]);
    cancel();
  }
}
