import type { KubeObject, ObjectName } from "#api/meta.ts";
import type { Resource } from "#api/resource.ts";
import { isNotFound } from "#api/status.ts";
import type { Clock } from "#base/clock.ts";
import type { Client } from "#client/client.ts";
import type { Informer } from "#client/informer.ts";
import type { Informers } from "#client/informers.ts";

/**
 * A client whose writes return only when the informers of this process show them. A controller that reads from an
 * informer then never acts twice on what it has just changed, over any transport; it needs no expectations.
 */
export function createOwnWritesClient(parts: OwnWritesParts): Client {
  const { client, informers } = parts;
  const shown = async <T extends KubeObject>(resource: Resource<T>, written: T): Promise<T> => {
    const informer = informers.known(resource);
    if (informer) await waitUntilShown(parts, informer, () => isShown(informer, written));
    return written;
  };
  return {
    ...client,
    create: async (resource, object, options) =>
      options?.dryRun
        ? client.create(resource, object, options)
        : shown(resource, await client.create(resource, object, options)),
    update: async (resource, object, options) =>
      shown(resource, await client.update(resource, object, options)),
    patch: async (resource, at, patch, options) =>
      shown(resource, await client.patch(resource, at, patch, options)),
    delete: async (resource, at, options) => {
      const informer = informers.known(resource);
      const uid = informer?.get(at)?.metadata.uid;
      try {
        await client.delete(resource, at, options);
      } catch (error) {
        if (!isNotFound(error)) throw error;
        if (informer) await waitUntilShown(parts, informer, () => isLeaving(informer, at, uid));
        throw error;
      }
      if (informer) await waitUntilShown(parts, informer, () => isLeaving(informer, at, uid));
    },
  };
}

export interface OwnWritesParts {
  readonly client: Client;
  readonly informers: Informers;
  readonly clock: Clock;
  readonly signal: AbortSignal;
}

/** A watch this far behind is broken; the write is then reported as failed and reconciled again. */
const behindMaxMs = 30_000;

async function waitUntilShown<T extends KubeObject>(
  { clock, signal }: OwnWritesParts,
  informer: Informer<T>,
  condition: () => boolean,
): Promise<void> {
  if (condition()) return;
  const limit = new AbortController();
  const abort = (): void => limit.abort(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  const stop = clock.after(behindMaxMs, () =>
    limit.abort(new Error(`Cannot see an own write: the watch is ${behindMaxMs} ms behind`)),
  );
  try {
    await informer.until(condition, limit.signal);
  } finally {
    stop();
    signal.removeEventListener("abort", abort);
  }
}

function isShown<T extends KubeObject>(informer: Informer<T>, written: T): boolean {
  return Number(informer.resourceVersion) >= Number(written.metadata.resourceVersion ?? 0);
}

function isLeaving<T extends KubeObject>(
  informer: Informer<T>,
  at: ObjectName,
  uid: string | undefined,
): boolean {
  const known = informer.get(at);
  return (
    known === undefined ||
    known.metadata.uid !== uid ||
    known.metadata.deletionTimestamp !== undefined
  );
}
