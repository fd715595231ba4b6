import type { Pod } from "#api/generated/types.ts";
import { pods } from "#api/resources.ts";
import type { Client } from "#client/client.ts";
import { deleteThis } from "#reconcile/delete-this.ts";

/** Nothing of a pod that is being deleted runs any more: its object may go. Another of the same name stays. */
export async function letObjectGo(client: Client, pod: Pod): Promise<void> {
  await deleteThis(client, { resource: pods, object: pod }, { gracePeriodSeconds: 0 });
}
