import type { Pod } from "#api/generated/types.ts";
import { uidOf } from "#api/meta.ts";
import { isEnding, isStopped } from "#agent/pods/plan-pod.ts";
import type { PodObservation } from "#agent/pods/pod-observation.ts";
import type { PodParts } from "#agent/pods/pod-parts.ts";
import { StartError, usualRetryMs } from "#agent/pods/start-error.ts";

const notPrepared = "FailedPrepareDynamicResources";

export type ClaimKeeper = Pick<PodParts, "dynamicResources" | "recorder">;

/** Has a pod's claims prepared before anything of it runs; what is wrong is told in upstream's event. */
export async function prepareClaims(
  { dynamicResources, recorder }: ClaimKeeper,
  pod: Pod,
  signal: AbortSignal,
): Promise<StartError | undefined> {
  try {
    await dynamicResources?.prepare(pod, signal);
    return undefined;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const message = `Failed to prepare dynamic resources: ${why}`;
    if (!signal.aborted) recorder.record(pod, { type: "Warning", reason: notPrepared, message });
    return new StartError(notPrepared, message, usualRetryMs);
  }
}

/** Whether the pod has something to do with claims; where it waits to try again, it need not any more. */
export function retriesClaims(
  { dynamicResources }: ClaimKeeper,
  pod: Pod,
  failures: Map<string, { readonly reason: string }>,
): boolean {
  const waited = failures.get("")?.reason === notPrepared && failures.delete("");
  return waited || (dynamicResources?.has(uidOf(pod)) ?? false);
}

/**
 * Gives the claims of a pod back that ended. False when that failed: its status must not tell the end before, or its
 * devices would be given to another. Upstream says nothing of it; here an event does.
 */
export async function giveClaimsBack(
  { dynamicResources, recorder }: ClaimKeeper,
  observed: PodObservation,
): Promise<boolean> {
  const { pod } = observed;
  if (!dynamicResources?.has(uidOf(pod)) || !isStopped(observed) || !isEnding(observed))
    return true;
  try {
    await dynamicResources.unprepare(uidOf(pod));
    return true;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const message = `Failed to unprepare dynamic resources: ${why}`;
    recorder.record(pod, { type: "Warning", reason: "FailedUnprepareDynamicResources", message });
    return false;
  }
}
