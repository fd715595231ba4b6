import { placeOf, type KubeObject } from "#api/meta.ts";
import type { Resource } from "#api/resource.ts";
import { isConflict, isNotFound } from "#api/status.ts";
import { messageOf } from "#base/log.ts";
import type { Client, DeleteOptions } from "#client/client.ts";

/**
 * Deletes this very object, known by its uid. That it is gone already, or that its name is another's by now, is fine.
 * @returns whether it was deleted by this call
 */
export async function deleteThis<T extends KubeObject>(
  client: Pick<Client, "delete">,
  { resource, object }: { readonly resource: Resource<T>; readonly object: Named },
  options: Omit<DeleteOptions, "preconditions"> = {},
): Promise<boolean> {
  const { uid } = object.metadata;
  const exactly = uid === undefined ? {} : { preconditions: { uid } };
  try {
    await client.delete(resource, placeOf(object), { ...options, ...exactly });
    return true;
  } catch (error) {
    if (isGone(error)) return false;
    throw error;
  }
}

/** Whether the refusal says that the object of the uid is not there: its name is nobody's, or another's by now. */
export function isGone(error: unknown): boolean {
  if (isNotFound(error)) return true;
  return isConflict(error) && uidMismatch.test(messageOf(error));
}

/** What servers say of a deletion, and of an update. Other conflicts are races, and say nothing of the kind. */
const uidMismatch = /UID in (the )?precondition/;

type Named = Pick<KubeObject, "metadata">;
