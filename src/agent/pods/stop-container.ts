import type { Pod } from "#api/generated/types.ts";
import { sleep } from "#base/clock.ts";
import { messageOf } from "#base/log.ts";
import { fieldPathOf, findContainer } from "#agent/pods/pod-containers.ts";
import type { PodParts } from "#agent/pods/pod-parts.ts";

export interface StopRequest {
  readonly pod: Pod;
  readonly id: string;
  readonly name: string;
  readonly why: string;
  readonly graceSeconds: number;
  readonly podIp: string;
}

/** What the runtime gets at least, when a `preStop` hook used up the time, as upstream. */
const graceSecondsMin = 2;

/** The `preStop` hook, then SIGTERM, then SIGKILL, all within the grace period. */
export async function stopContainer(parts: PodParts, request: StopRequest): Promise<void> {
  const { pod, id, name, why, graceSeconds } = request;
  const container = findContainer(pod, name);
  parts.recorder.record(pod, {
    type: "Normal",
    reason: "Killing",
    message: why,
    ...(container && { fieldPath: fieldPathOf(container) }),
  });
  const startMs = parts.clock.now();
  if (graceSeconds > 0) await beforeStop(parts, request);
  const usedSeconds = Math.floor((parts.clock.now() - startMs) / 1000);
  const left = graceSeconds === 0 ? 0 : Math.max(graceSecondsMin, graceSeconds - usedSeconds);
  await parts.runtime.stopContainer(id, left, container?.spec.lifecycle?.stopSignal);
  await parts.view.refreshContainer(id);
}

async function beforeStop(parts: PodParts, request: StopRequest): Promise<void> {
  const { pod, id, name, graceSeconds, podIp } = request;
  const container = findContainer(pod, name);
  const hook = container?.spec.lifecycle?.preStop;
  if (container === undefined || hook === undefined) return;
  const timeoutMs = graceSeconds * 1000;
  const expired = new AbortController();
  const late = sleep(parts.clock, timeoutMs, expired.signal).then(
    () => ({ ok: true, output: "" }),
    () => ({ ok: true, output: "" }),
  );
  const done = hook.sleep
    ? sleep(parts.clock, hook.sleep.seconds * 1000).then(() => ({ ok: true, output: "" }))
    : parts.handlers(hook, {
        container: container.spec,
        containerId: id,
        podIp,
        timeoutMs,
        userAgent: "kube-lifecycle/1.36",
      });
  const result = await Promise.race([done, late]);
  expired.abort();
  if (result.ok) return;
  parts.recorder.record(pod, {
    type: "Warning",
    reason: "FailedPreStopHook",
    message: "PreStopHook failed",
    fieldPath: fieldPathOf(container),
  });
}

/** Shortens the time of a pod's containers that are being stopped already. */
export function hurryContainers(
  { view, runtime, log }: PodParts,
  pod: Pod,
  graceSeconds: number,
): void {
  for (const { id, state } of view.containersOf(pod.metadata.uid ?? "")) {
    if (state !== "running") continue;
    runtime
      .stopContainer(id, graceSeconds)
      .catch((error: unknown) => log.warn("container not stopped", { reason: messageOf(error) }));
  }
}
