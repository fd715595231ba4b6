import { createHash, randomBytes } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { parse } from "yaml";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { readEncryptionConfiguration } from "#apiserver/encryption/configuration.ts";
import { createEncryptedStore } from "#apiserver/encryption/encrypted-store.ts";
import { rewriteStale } from "#apiserver/encryption/rewrite.ts";
import type { Sealing } from "#apiserver/encryption/sealer.ts";
import { openSealing } from "#apiserver/node/encryption/open-sealing.ts";
import { readJsonFile, writeJsonFile } from "#main/json-file.ts";
import { watchFile } from "#main/watched-file.ts";
import type { Store } from "#storage/store.ts";

export interface EncryptionParts {
  /** An `EncryptionConfiguration`, YAML or JSON. */
  readonly file: string;
  /** Where it is noted that everything is sealed as the file says. */
  readonly noteFile: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is noted when a configuration holds for all that is stored. */
export interface EncryptionNote {
  readonly configuration: string;
  readonly rewritten: number;
}

/**
 * A store whose values are sealed as the file says. When the file changes it is taken up, and what other keys sealed
 * is written again. Disposing of it closes the store below.
 * @throws when the file cannot be used
 */
export async function openEncryption(store: Store, parts: EncryptionParts): Promise<Store> {
  const keeper = new SealingKeeper(store, parts);
  await keeper.take();
  const encrypted = createEncryptedStore(store, () => keeper.sealing);
  const close = encrypted[Symbol.asyncDispose].bind(encrypted);
  keeper.follow();
  return Object.assign(encrypted, {
    [Symbol.asyncDispose]: async () => {
      await keeper.stop();
      await close();
    },
  });
}

class SealingKeeper {
  readonly #store: Store;
  readonly #parts: EncryptionParts;
  readonly #stop = new AbortController();
  #sealing: (Sealing & Disposable) | undefined;
  #configuration = "";
  #hasPlugin = false;
  #work: Promise<void> = Promise.resolve();
  #watching: Disposable | undefined;

  constructor(store: Store, parts: EncryptionParts) {
    this.#store = store;
    this.#parts = parts;
  }

  get sealing(): Sealing {
    if (this.#sealing === undefined) throw new Error("the configuration was read first");
    return this.#sealing;
  }

  async take(): Promise<void> {
    const text = readText(this.#parts.file);
    const configuration = configurationHash(text);
    if (configuration === this.#configuration) return;
    const asked = readEncryptionConfiguration(parse(text));
    const sealing = await openSealing(asked, this.#parts);
    this.#hasPlugin = asked.resources.some(({ providers }) =>
      providers.some(({ kind }) => kind === "kms"),
    );
    this.#sealing?.[Symbol.dispose]();
    this.#sealing = sealing;
    this.#configuration = configuration;
  }

  /** From now on changes of the file are taken up. */
  follow(): void {
    const { file, log } = this.#parts;
    this.#watching = watchFile(file, {
      changed: () => this.#changed(),
      failed: (error) => log.warn("encryption file is not watched", { error }),
    });
    if (!this.#isNoted()) this.#after(() => this.#rewrite());
  }

  async stop(): Promise<void> {
    this.#stop.abort();
    this.#watching?.[Symbol.dispose]();
    await this.#work;
    this.#sealing?.[Symbol.dispose]();
  }

  /** A plugin may have changed its key without the file knowing. */
  #isNoted(): boolean {
    const noted = readJsonFile<EncryptionNote>(this.#parts.noteFile)?.configuration;
    return noted === this.#configuration && !this.#hasPlugin;
  }

  #changed(): void {
    this.#after(async () => {
      const before = this.#configuration;
      await this.take();
      if (this.#configuration === before) return;
      this.#parts.log.info("encryption configuration taken up", { file: this.#parts.file });
      await this.#rewrite();
    });
  }

  #after(act: () => Promise<void>): void {
    this.#work = this.#work.then(act).catch((error: unknown) => {
      if (this.#stop.signal.aborted) return;
      this.#parts.log.error("encryption configuration does not hold for everything", { error });
    });
  }

  async #rewrite(): Promise<void> {
    const { log, noteFile } = this.#parts;
    const { signal } = this.#stop;
    const configuration = this.#configuration;
    const rewritten = await rewriteStale(this.#store, this.sealing, signal);
    if (signal.aborted) return;
    if (rewritten > 0) {
      log.info("objects encrypted anew", { objects: rewritten });
      // What they were before is in the history, under keys that may go now.
      await this.#store.compact(await this.#store.revision());
    }
    writeJsonFile(noteFile, { configuration, rewritten } satisfies EncryptionNote);
  }
}

/** Made at a cluster's first start: Secrets under a key of its own. */
export function ensureEncryptionFile(pkiDirectory: string): { file: string; isNew: boolean } {
  const file = encryptionFile(pkiDirectory);
  const isNew = !existsSync(file);
  if (isNew) writeKeys(file, [newKey("key1")]);
  return { file, isNew };
}

export function encryptionFile(pkiDirectory: string): string {
  return join(pkiDirectory, "encryption.json");
}

export interface FileKey {
  readonly name: string;
  /** Base64. */
  readonly secret: string;
}

export function newKey(name: string): FileKey {
  return { name, secret: randomBytes(32).toString("base64") };
}

/** The first key seals; Secrets from before there was one are read as they are. */
export function writeKeys(file: string, keys: readonly FileKey[]): void {
  const configuration = {
    apiVersion: "apiserver.config.k8s.io/v1",
    kind: "EncryptionConfiguration",
    resources: [{ resources: ["secrets"], providers: [{ aesgcm: { keys } }, { identity: {} }] }],
  };
  const text = `${JSON.stringify(configuration, null, 2)}\n`;
  writeFileSync(`${file}.new`, text, { flush: true, mode: 0o600 });
  renameSync(`${file}.new`, file);
}

export function readText(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch (cause) {
    throw new Error(`Cannot use the encryption configuration: ${file} cannot be read`, { cause });
  }
}

export function configurationHash(text: string): string {
  return createHash("sha256").update(text).digest("hex");
}
