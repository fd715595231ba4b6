import { readFileSync } from "node:fs";
import type { ServerFlags } from "#cli/server-flags.ts";
import type { Log } from "#base/log.ts";
import type { Store } from "#storage/store.ts";

export interface StoreChoice {
  /** What `--store` names. */
  readonly store: string;
  readonly flags: ServerFlags;
  /** Where an embedded store lies. */
  readonly directory: string;
  readonly log: Log;
  /** Told when a store on another machine does not answer at first. */
  readonly onWaiting: (why: string) => void;
}

/** Whether several servers may use the store that `--store` names. */
export function isShared(store: string): boolean {
  return store.startsWith(etcdMark);
}

/** Opens the store that `--store` names. @throws with the names there are, when it is none of them */
export async function openStore(choice: StoreChoice): Promise<Store> {
  const { store, directory } = choice;
  if (store === "memory") {
    const { createMemoryStore } = await import("#storage/memory-store.ts");
    return createMemoryStore();
  }
  if (store === "lmdb") {
    const { openLmdbStore } = await import("#storage/node/lmdb-store.ts");
    return openLmdbStore({ directory });
  }
  if (isShared(store)) return openEtcd(choice);
  throw new Error(`Cannot open the store "${store}": it is one of memory, lmdb, etcd=URL,URL`);
}

const etcdMark = "etcd=";

async function openEtcd({ store, flags, log, onWaiting }: StoreChoice): Promise<Store> {
  const { openEtcdStore } = await import("#storage/node/etcd-store.ts");
  const { etcdPrefix, etcdCafile, etcdCertfile, etcdKeyfile } = flags;
  if ((etcdCertfile === undefined) !== (etcdKeyfile === undefined)) {
    throw new Error("Cannot open the store: --etcd-certfile and --etcd-keyfile go together");
  }
  return openEtcdStore({
    endpoints: store.slice(etcdMark.length).split(",").filter(Boolean),
    ...(etcdPrefix !== undefined && { prefix: etcdPrefix }),
    tls: {
      ...(etcdCafile !== undefined && { authority: readPem(etcdCafile) }),
      ...(etcdCertfile !== undefined && { certificate: readPem(etcdCertfile) }),
      ...(etcdKeyfile !== undefined && { key: readPem(etcdKeyfile) }),
    },
    log: log.with({ part: "etcd" }),
    onWaiting,
  });
}

function readPem(file: string): Uint8Array {
  try {
    return readFileSync(file);
  } catch (cause) {
    throw new Error(`Cannot open the store: ${file} cannot be read`, { cause });
  }
}
