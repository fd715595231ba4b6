import { watch } from "node:fs";
import { dirname } from "node:path";
import process from "node:process";
import { sleep, systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { readEncryptionConfiguration } from "#apiserver/encryption/configuration.ts";
import { rewriteStale } from "#apiserver/encryption/rewrite.ts";
import { openSealing } from "#apiserver/node/encryption/open-sealing.ts";
import type { DataDirOption } from "#cli/options.ts";
import { chooseDataDirectory } from "#main/data-directory.ts";
import type { DataDirectory } from "#main/data-directory.ts";
import {
  configurationHash,
  encryptionFile,
  ensureEncryptionFile,
  newKey,
  readText,
  writeKeys,
} from "#main/encryption.ts";
import type { EncryptionNote, FileKey } from "#main/encryption.ts";
import { readJsonFile, writeJsonFile } from "#main/json-file.ts";
import { isShared } from "#main/open-store.ts";
import { readSettings } from "#main/settings.ts";
import { openLmdbStore } from "#storage/node/lmdb-store.ts";
import type { Store } from "#storage/store.ts";

/**
 * `kogge secrets rotate-key`: a new key comes first, everything is written again under it, the old ones go. A server
 * that runs does the writing; it takes the file up by itself. Interrupted, it can be run again.
 */
export async function rotateKey(options: DataDirOption): Promise<void> {
  const directory = chooseDataDirectory(options.dataDir);
  const file = rotatableFile(directory);
  const before = keysIn(file);
  const key = newKey(nextName(before));
  const store = await openUnlessServed(directory);
  try {
    writeKeys(file, [key, ...before]);
    const rewritten = await sealedAsFileSays(directory, file, store);
    writeKeys(file, [key]);
    await sealedAsFileSays(directory, file, store);
    process.stdout.write(
      `Encrypted ${rewritten} objects with "${key.name}"; removed ${before.map(({ name }) => `"${name}"`).join(", ")}\n`,
    );
  } finally {
    await store?.[Symbol.asyncDispose]();
  }
}

function rotatableFile(directory: DataDirectory): string {
  const settings = readSettings(directory);
  if (settings === undefined) throw new Error(`There is no cluster in ${directory.root}`);
  const { encryptionProviderConfig: chosen } = settings.flags ?? {};
  const steps =
    "put a new key first, wait until the server has written everything under it, then remove the old one";
  if (chosen !== undefined)
    throw new Error(`Cannot rotate the key: it is kept in ${chosen}, which is yours; ${steps}`);
  if (isShared(settings.store))
    throw new Error(
      `Cannot rotate the key: several servers share the store. In ${encryptionFile(directory.pki)} of each server, add a new key as the second; then, on each, put it first; then remove the old one from each`,
    );
  if (settings.store !== "lmdb")
    throw new Error(`Cannot rotate the key: the store "${settings.store}" is not encrypted`);
  return ensureEncryptionFile(directory.pki).file;
}

interface KeyFile {
  readonly resources?: readonly {
    readonly providers?: readonly { readonly aesgcm?: { readonly keys?: readonly FileKey[] } }[];
  }[];
}

function keysIn(file: string): readonly FileKey[] {
  const { resources = [] } = readJsonFile<KeyFile>(file) ?? {};
  return resources.flatMap(({ providers = [] }) =>
    providers.flatMap(({ aesgcm }) => aesgcm?.keys ?? []),
  );
}

/** `key4` after `key3`: a name is never used again. */
function nextName(keys: readonly FileKey[]): string {
  const numbers = keys.map(({ name }) => Number(/^key(\d+)$/.exec(name)?.[1] ?? 0));
  return `key${Math.max(0, ...numbers) + 1}`;
}

/** Undefined when a server has the store. */
async function openUnlessServed(directory: DataDirectory): Promise<Store | undefined> {
  try {
    return await openLmdbStore({ directory: directory.store });
  } catch (error) {
    if (error instanceof Error && /process \d+ is using it$/.test(error.message)) return undefined;
    throw error;
  }
}

/** Resolves to how many objects were written when all are under the file's first key. */
async function sealedAsFileSays(
  directory: DataDirectory,
  file: string,
  store: Store | undefined,
): Promise<number> {
  const text = readText(file);
  const configuration = configurationHash(text);
  if (store === undefined) return noted(directory, configuration);
  const parts = { clock: systemClock, log: silentLog };
  using sealing = await openSealing(readEncryptionConfiguration(JSON.parse(text)), parts);
  const rewritten = await rewriteStale(store, sealing, new AbortController().signal);
  await store.compact(await store.revision());
  writeJsonFile(directory.encryption, { configuration, rewritten } satisfies EncryptionNote);
  return rewritten;
}

const serverTimeoutMs = 10 * 60_000;

/** Waits for the server's note that it is done. */
async function noted(directory: DataDirectory, configuration: string): Promise<number> {
  const stop = new AbortController();
  const changed = { wake: (): void => {} };
  using _ = watching(dirname(directory.encryption), () => changed.wake());
  const late = sleep({ ...systemClock, after: heldTimer }, serverTimeoutMs, stop.signal);
  let isLate = false;
  late.then(
    () => {
      isLate = true;
      changed.wake();
    },
    () => {},
  );
  try {
    for (;;) {
      const next = new Promise<void>((resolve) => (changed.wake = resolve));
      const note = readJsonFile<EncryptionNote>(directory.encryption);
      if (note?.configuration === configuration) return note.rewritten;
      if (isLate)
        throw new Error(
          `Cannot rotate the key: the server has not written everything in ${serverTimeoutMs / 60_000} minutes; see ${directory.logs}. Both keys are kept`,
        );
      await next;
    }
  } finally {
    stop.abort();
  }
}

function watching(folder: string, act: () => void): Disposable {
  const watcher = watch(folder, act);
  return { [Symbol.dispose]: () => watcher.close() };
}

function heldTimer(delayMs: number, act: () => void): () => void {
  const timer = setTimeout(act, delayMs);
  return () => clearTimeout(timer);
}
