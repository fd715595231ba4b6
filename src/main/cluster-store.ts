import { rmSync } from "node:fs";
import { systemClock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Pki } from "#apiserver/node/pki/pki-directory.ts";
import type { Progress } from "#cli/progress.ts";
import type { DataDirectory } from "#main/data-directory.ts";
import { ensureEncryptionFile, openEncryption } from "#main/encryption.ts";
import { isShared, openStore } from "#main/open-store.ts";
import type { ClusterSettings } from "#main/settings.ts";
import { claimSharedStore, refusal } from "#main/shared-store.ts";
import type { Store } from "#storage/store.ts";

export interface ClusterStoreOptions {
  readonly directory: DataDirectory;
  readonly settings: ClusterSettings;
  readonly progress: Progress;
  readonly log: Log;
}

/** The store of a data directory's cluster, encrypted as its configuration says. */
export async function openClusterStore(options: ClusterStoreOptions, pki: Pki): Promise<Store> {
  const { directory, settings, log, progress } = options;
  const { store: name, flags = {} } = settings;
  const onWaiting = (why: string): void => progress.step(`Waiting for etcd: ${why}`);
  const store = await openStore({ store: name, flags, directory: directory.store, log, onWaiting });
  try {
    const chosen = flags.encryptionProviderConfig;
    const needsOwn = name !== "memory" && chosen === undefined;
    const own = needsOwn ? ensureEncryptionFile(directory.pki) : undefined;
    const isFirst = isShared(name) ? await claimSharedStore(store, pki, settings) : true;
    const file = chosen ?? own?.file;
    if (file === undefined) return store;
    if (own?.isNew && !isFirst) {
      rmSync(file);
      throw refusal(`${file} with the key of its Secrets is missing here`);
    }
    const noteFile = directory.encryption;
    return await openEncryption(store, { file, noteFile, clock: systemClock, log });
  } catch (error) {
    await store[Symbol.asyncDispose]();
    throw error;
  }
}
