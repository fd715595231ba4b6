import type { ControllerRevision } from "#api/generated/types.ts";
import { placeOf } from "#api/meta.ts";
import { controllerRevisions } from "#api/resources.ts";
import { ifFound, isAlreadyExists } from "#api/status.ts";
import type { Client } from "#client/client.ts";
import {
  planHistory,
  type ObservedHistory,
} from "#controllers/revision-history/revision-history.ts";

/** Makes sure that the present template has its revision, and returns it. */
export async function keepRevision(
  client: Client,
  observed: ObservedHistory,
  signal: AbortSignal,
): Promise<ControllerRevision> {
  const { update, isNew, isRenumbered } = planHistory(observed);
  if (isRenumbered) return client.update(controllerRevisions, update, { signal });
  if (!isNew) return update;
  try {
    return await client.create(controllerRevisions, update, { signal });
  } catch (error) {
    if (!isAlreadyExists(error)) throw error;
    return client.get(controllerRevisions, placeOf(update), { signal });
  }
}

export async function forgetRevisions(
  client: Client,
  revisions: readonly ControllerRevision[],
  signal: AbortSignal,
): Promise<void> {
  for (const revision of revisions) {
    await ifFound(client.delete(controllerRevisions, placeOf(revision), { signal }));
  }
}
