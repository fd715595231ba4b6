import { pods } from "#api/resources.ts";
import { isNotFound } from "#api/status.ts";
import { rfc3339, type Clock } from "#base/clock.ts";
import type { Client } from "#client/client.ts";
import type { EventRecorder } from "#reconcile/event-recorder.ts";
import type { PendingPod } from "#scheduler/framework.ts";

export interface TellParts {
  readonly client: Client;
  readonly clock: Clock;
  readonly recorder: EventRecorder;
  readonly signal: AbortSignal;
}

/** An event, and the condition PodScheduled=False where it does not yet say this. */
export async function tellPod(
  { client, clock, recorder, signal }: TellParts,
  { pod, placed: { namespace, name, uid } }: PendingPod,
  { reason, message }: { readonly reason: string; readonly message: string },
): Promise<void> {
  recorder.record(pod, { type: "Warning", reason: "FailedScheduling", message });
  const known = pod.status?.conditions?.find(({ type }) => type === "PodScheduled");
  if (known?.status === "False" && known.reason === reason && known.message === message) return;
  const changed = known?.status !== "False";
  const condition = {
    type: "PodScheduled",
    status: "False",
    reason,
    message,
    ...(changed && { lastTransitionTime: rfc3339(clock.now()) }),
  };
  const value = { metadata: { uid }, status: { conditions: [condition] } };
  const options = { subresource: "status", signal };
  try {
    await client.patch(pods, { namespace, name }, { kind: "strategic", value }, options);
  } catch (error) {
    if (!isNotFound(error) && !signal.aborted) throw error;
  }
}
