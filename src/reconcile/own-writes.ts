import { placeOf, type KubeObject } from "#api/meta.ts";
import type { Resource } from "#api/resource.ts";
import { isNotFound } from "#api/status.ts";
import type { Client } from "#client/client.ts";
import {
  behindMaxMs,
  createOnce,
  deleteOnce,
  tryOnce,
  type SureWrites,
} from "#reconcile/unanswered.ts";

/**
 * A client whose writes return only when the informers of this process show them. A controller that reads from an
 * informer then never acts twice on what it has just changed, over any transport and when answers are lost
 * (`unanswered.ts`); it needs no expectations.
 */
export function createOwnWritesClient(parts: OwnWritesParts): Client {
  const { client, informers } = parts;
  const shown = async <T extends KubeObject>(resource: Resource<T>, written: T): Promise<T> => {
    const version = written.metadata.resourceVersion ?? "0";
    await informers.known(resource)?.reached(version, behindMaxMs);
    return written;
  };
  return {
    ...client,
    create: async (resource, object, options) =>
      options?.dryRun
        ? client.create(resource, object, options)
        : shown(resource, await createOnce(parts, resource, object, options)),
    update: async (resource, object, options) =>
      shown(
        resource,
        await tryOnce(parts, { resource, at: placeOf(object) }, () =>
          client.update(resource, object, options),
        ),
      ),
    patch: async (resource, at, patch, options) =>
      shown(
        resource,
        await tryOnce(parts, { resource, at }, () => client.patch(resource, at, patch, options)),
      ),
    delete: async (resource, at, options = {}) => {
      const informer = informers.known(resource);
      const uid = options.preconditions?.uid ?? informer?.get(at)?.metadata.uid;
      const leaving = async (): Promise<void> =>
        informer?.untilObject(at, (known) => isLeaving(known, uid), behindMaxMs);
      try {
        await deleteOnce(parts, resource, at, options);
      } catch (error) {
        if (isNotFound(error)) await leaving();
        throw error;
      }
      await leaving();
    },
  };
}

export type OwnWritesParts = SureWrites;

function isLeaving(known: KubeObject | undefined, uid: string | undefined): boolean {
  return (
    known === undefined ||
    known.metadata.uid !== uid ||
    known.metadata.deletionTimestamp !== undefined
  );
}
