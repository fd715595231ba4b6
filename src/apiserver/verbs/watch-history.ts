import { CompactedError, type StoreEvent } from "#storage/store.ts";
import { changeOf, type Change, type ResourceCache } from "#apiserver/cache/resource-cache.ts";
import { fromStoredBytes } from "#apiserver/cache/stored-object.ts";
import type { ServerState } from "#apiserver/server-state.ts";

export interface Since {
  readonly resource: ResourceCache;
  readonly revision: number;
  readonly signal: AbortSignal;
}

/** Changes of a resource without a gap. */
export interface Missed {
  readonly changes: readonly Change[];
  /** Up to here there are no others. */
  readonly revision: number;
}

/**
 * The changes of a resource after a revision, from the cache or, where they are older than what it remembers (a server
 * that has just been started remembers nothing), from the store's history. Undefined when the store does not know them
 * either. By the time the caller has them there may be more: `withNewer`.
 */
export async function changesSince(
  server: ServerState,
  { resource, revision, signal }: Since,
): Promise<Missed | undefined> {
  const known = withNewer(resource, { changes: [], revision });
  if (known !== undefined) return known;
  const older: Change[] = [];
  const reading = new AbortController();
  const stop = AbortSignal.any([signal, server.stopped, reading.signal]);
  const cancelTimeout = server.clock.after(readingMs, () => reading.abort());
  try {
    let position = revision;
    // Every revision of the store comes by: how far the reading is does not depend on the resource's own writes.
    for await (const events of server.store.watch(everything, revision, stop)) {
      for (const event of events) {
        position = event.revision;
        if (event.key.startsWith(resource.prefix)) older.push(changeOfEvent(event));
      }
      if (older.length > changesMax) return undefined;
      const all = withNewer(resource, { changes: older, revision: position });
      if (all !== undefined) return all;
    }
    return undefined;
  } catch (error) {
    if (error instanceof CompactedError) return undefined;
    throw error;
  } finally {
    cancelTimeout();
    reading.abort();
  }
}

/** With what the cache has had since; undefined when it has forgotten some of that. */
export function withNewer(resource: ResourceCache, missed: Missed): Missed | undefined {
  const newer = resource.changesAfter(missed.revision);
  const last = newer?.at(-1);
  if (newer === undefined || last === undefined) return newer && missed;
  return { changes: [...missed.changes, ...newer], revision: last.revision };
}

const everything = { start: "", end: "" };
/** A history that takes longer to read is taken for unknown. */
const readingMs = 10_000;
/** A client further behind than this is better off with a fresh list. */
const changesMax = 50_000;

function changeOfEvent(event: StoreEvent): Change {
  const current = event.kind === "put" ? fromStoredBytes(event) : undefined;
  const previous = event.previous && fromStoredBytes(event.previous);
  return changeOf(event.revision, current, previous);
}
