import { resourceSlices } from "#api/resources.ts";
import { type Clock, sleep } from "#base/clock.ts";
import { type Log, messageOf } from "#base/log.ts";
import type { Client } from "#client/client.ts";

export interface WipeParts {
  readonly client: Pick<Client, "deleteCollection">;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Log;
}

const firstRetryMs = 1000;
const retryMsMax = 5 * 60_000;

/**
 * Removes the node's ResourceSlices, of one driver or of all: what they tell of cannot be had while no plugin is there.
 * Tries until it could, or the signal is aborted.
 */
export async function wipeSlices(
  { client, nodeName, clock, log }: WipeParts,
  driver: string | undefined,
  signal: AbortSignal,
): Promise<void> {
  const ofDriver = driver === undefined ? "" : `,spec.driver=${driver}`;
  const fieldSelector = `spec.nodeName=${nodeName}${ofDriver}`;
  for (let retryMs = firstRetryMs; !signal.aborted; retryMs = Math.min(retryMsMax, retryMs * 2)) {
    try {
      return await client.deleteCollection(resourceSlices, { fieldSelector, signal });
    } catch (error) {
      if (signal.aborted) return;
      log.warn("resource slices not removed yet", { driver, reason: messageOf(error) });
    }
    await sleep(clock, retryMs, signal).catch(() => {});
  }
}
