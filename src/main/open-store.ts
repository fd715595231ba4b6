import type { Store } from "#storage/store.ts";

/** Opens the store that `--store` names. @throws with the names there are, when it is none of them */
export async function openStore(name: string, directory: string): Promise<Store> {
  if (name === "memory") {
    const { createMemoryStore } = await import("#storage/memory-store.ts");
    return createMemoryStore();
  }
  if (name === "lmdb") {
    const { openLmdbStore } = await import("#storage/node/lmdb-store.ts");
    return openLmdbStore({ directory });
  }
  if (name.startsWith("etcd=")) {
    throw new Error(
      "Cannot open the store: etcd is not supported in this version; use lmdb, and `kogge backup` to move later",
    );
  }
  throw new Error(`Cannot open the store "${name}": it is one of memory, lmdb`);
}
