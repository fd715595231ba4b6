import { resourcePrefix } from "#apiserver/cache/store-cache.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/**
 * Removes events an hour after they were last written, as upstream's leases do. Those that are there when the
 * server starts have another hour. One timer, set to the first that ends; none while there are no events.
 */
export function startEventExpiry(state: ServerState): () => void {
  const prefix = resourcePrefix({ group: "", resource: "events" });
  const resource = state.cache.resource(prefix);
  /** When each was last written, the oldest first. */
  const written = new Map<string, number>();
  let cancel: (() => void) | undefined;
  const touch = (key: string): void => {
    written.delete(key);
    written.set(key, state.clock.now());
    schedule();
  };
  const schedule = (): void => {
    const [oldest] = written.values();
    if (cancel !== undefined || oldest === undefined) return;
    cancel = state.clock.after(Math.max(0, oldest + lifeMs - state.clock.now()), () => {
      cancel = undefined;
      void expire();
    });
  };
  const expire = async (): Promise<void> => {
    for (const [key, time] of written) {
      if (time + lifeMs > state.clock.now() || state.stopped.aborted) break;
      written.delete(key);
      const removed = await remove(state, key, resource.get(key)?.revision ?? 0);
      if (!removed) touch(key);
    }
    if (!state.stopped.aborted) schedule();
  };
  for (const { key } of resource.list(prefix)) touch(key);
  const watching = resource.watch({
    prefix,
    onChange: ({ current, previous }) => {
      if (current !== undefined) touch(current.key);
      else if (previous !== undefined) written.delete(previous.key);
    },
  });
  return () => {
    watching[Symbol.dispose]();
    cancel?.();
  };
}

const lifeMs = 60 * 60 * 1_000;

/**
 * An event that was written again in between stays; its next hour has begun. False when the store failed: then it
 * is tried again in an hour.
 */
async function remove(state: ServerState, key: string, revision: number): Promise<boolean> {
  try {
    await state.store.delete(key, revision);
    return true;
  } catch (error) {
    if (!state.stopped.aborted) state.log.warn("event was not removed", { key, error });
    return false;
  }
}
