import type { Pod } from "#api/generated/types.ts";
import { graceOf } from "#agent/pods/pod-parts.ts";
import { podLabels } from "#agent/pods/sandbox-config.ts";
import type { ContainerRuntime, ContainerState } from "#agent/runtime/container-runtime.ts";
import { planShutdown, type ShutdownGroup } from "#agent/shutdown/plan-shutdown.ts";

/** What containers get to end by themselves where no shutdown period says more. */
const lastGraceSeconds = 2;

/** Ends all containers because the agent is stopped for good: group after group where shutdowns are given time. */
export async function stopContainers(
  runtime: ContainerRuntime,
  pods: readonly Pod[],
  groups: readonly ShutdownGroup[],
): Promise<void> {
  const all = await runtime.listContainers();
  const running = all.filter(({ state }) => state === "running");
  const stop = (containers: readonly ContainerState[], graceSeconds: number): Promise<unknown> =>
    Promise.all(containers.map(({ id }) => runtime.stopContainer(id, graceSeconds)));
  for (const group of planShutdown(groups, pods)) {
    await Promise.all(
      group.pods.map((pod) => {
        const uid = pod.metadata.uid ?? "";
        const own = running.filter(({ labels }) => labels[podLabels.uid] === uid);
        return stop(own, Math.min(group.graceSeconds, graceOf(pod)));
      }),
    );
  }
  await stop(running, lastGraceSeconds);
}
