import type { ServerState } from "#apiserver/server-state.ts";

/**
 * Every five minutes forgets the history before the revision of five minutes ago, as upstream does: a continue
 * token or an exact list is good for at least so long. Returns what stops it.
 */
export function startCompaction(state: ServerState): () => void {
  let cancel = (): void => {};
  let earlier = state.cache.revision;
  const schedule = (): void => {
    cancel = state.clock.after(intervalMs, () => {
      const revision = earlier;
      earlier = state.cache.revision;
      schedule();
      void compact(state, revision);
    });
  };
  schedule();
  return () => cancel();
}

const intervalMs = 5 * 60 * 1_000;

async function compact(state: ServerState, revision: number): Promise<void> {
  try {
    if (revision > (await state.store.compactedRevision())) await state.store.compact(revision);
  } catch (error) {
    if (!state.stopped.aborted) state.log.warn("history was not compacted", { revision, error });
  }
}
