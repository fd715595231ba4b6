import type { Pod } from "#api/generated/types.ts";
import { nameOf, namespaceOf } from "#api/meta.ts";
import { pods } from "#api/resources.ts";
import { isConflict, isNotFound } from "#api/status.ts";
import type { Client } from "#client/client.ts";

/** Nothing of a pod that is being deleted runs any more: its object may go. Another of the same name stays. */
export async function letObjectGo(client: Client, pod: Pod): Promise<void> {
  const at = { namespace: namespaceOf(pod), name: nameOf(pod) };
  const preconditions = { uid: pod.metadata.uid ?? "" };
  try {
    await client.delete(pods, at, { gracePeriodSeconds: 0, preconditions });
  } catch (error) {
    if (!isNotFound(error) && !isConflict(error)) throw error;
  }
}
