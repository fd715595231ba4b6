import type { Sealing } from "#apiserver/encryption/sealer.ts";
import { after, prefixRange, type Store } from "#storage/store.ts";

/**
 * Writes again what other keys, or none, sealed. Objects keep their content and get a new resource version, as with
 * upstream's `kubectl replace`. Who writes one meanwhile has sealed it. `store` is the one with sealed values.
 * @returns how many were written
 */
export async function rewriteStale(
  store: Store,
  sealing: Sealing,
  signal: AbortSignal,
): Promise<number> {
  const range = prefixRange("/registry/");
  let written = 0;
  for (let start = range.start; !signal.aborted;) {
    const page = await store.list({ start, end: range.end }, { limit: pageMax });
    for (const { key, value, revision } of page.entries) {
      if (sealing.isCurrent(key, value)) continue;
      if (signal.aborted) return written;
      const sealed = sealing.seal(key, await sealing.open(key, value));
      if ((await store.put(key, sealed, revision)).ok) written += 1;
    }
    const last = page.entries.at(-1);
    if (!page.more || last === undefined) break;
    start = after(last.key);
  }
  return written;
}

const pageMax = 200;
