import { randomBytes, randomUUID } from "node:crypto";
import { Client, credentials } from "@grpc/grpc-js";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Sealer } from "#apiserver/encryption/sealer.ts";
import { gcmBox, seedBox, type Box } from "#apiserver/node/encryption/aes-sealers.ts";
import {
  decodeEncryptedObject,
  encodeEncryptedObject,
  kmsMethods,
} from "#apiserver/node/encryption/kms-messages.ts";
import type { EncryptedObject } from "#apiserver/node/encryption/kms-messages.ts";

export interface KmsOptions {
  /** As the configuration calls it. */
  readonly name: string;
  /** `unix:///…` */
  readonly endpoint: string;
  readonly timeoutMs: number;
  readonly clock: Clock;
  readonly log: Log;
}

/** What is sealed with: a seed that lives in this process, and the same seed as the plugin encrypted it. */
interface Seed {
  readonly box: Box;
  readonly keyId: string;
  readonly encrypted: Uint8Array;
  readonly annotations: Readonly<Record<string, Uint8Array>>;
}

/**
 * Seals with a key-management plugin, as upstream's KMS v2: the plugin encrypts one seed at the start and one each
 * time its key changes; values are sealed here with keys derived from the seed. Seeds of stored values that are not
 * known yet are decrypted by the plugin once each.
 * @throws when the plugin does not answer or is not healthy
 */
export async function openKmsSealer(options: KmsOptions): Promise<Sealer & Disposable> {
  const plugin = new Plugin(options);
  const sealer = new KmsSealer(plugin, options);
  try {
    await sealer.start();
  } catch (cause) {
    sealer[Symbol.dispose]();
    const message = `Cannot use the KMS provider "${options.name}" at ${options.endpoint}`;
    throw new Error(message, { cause });
  }
  return sealer;
}

class KmsSealer implements Sealer, Disposable {
  readonly prefix: string;
  readonly #plugin: Plugin;
  readonly #options: KmsOptions;
  readonly #opened = new Map<string, Box | Promise<Box>>();
  #seed: Seed | undefined;
  /** Until when the key may be used without the plugin saying that it is still the one. */
  #goodUntilMs = 0;
  #cancelPoll = (): void => {};
  #stopped = false;

  constructor(plugin: Plugin, options: KmsOptions) {
    this.prefix = `k8s:enc:kms:v2:${options.name}:`;
    this.#plugin = plugin;
    this.#options = options;
  }

  async start(): Promise<void> {
    await this.#refresh();
    this.#pollAfter(healthyPollMs);
  }

  seal(value: Uint8Array, key: string): Uint8Array {
    const { clock, name } = this.#options;
    const seed = this.#seed;
    if (seed === undefined || clock.now() > this.#goodUntilMs) {
      throw new Error(`Cannot encrypt "${key}": the KMS provider "${name}" does not answer`);
    }
    return encodeEncryptedObject({
      encryptedData: seed.box.seal(value, key),
      keyId: seed.keyId,
      encryptedDekSource: seed.encrypted,
      annotations: seed.annotations,
      encryptedDekSourceType: seedType,
    });
  }

  open(sealed: Uint8Array, key: string): Uint8Array | Promise<Uint8Array> {
    const object = decodeEncryptedObject(sealed);
    const box = this.#boxOf(object);
    if (box instanceof Promise) return box.then((known) => known.open(object.encryptedData, key));
    return box.open(object.encryptedData, key);
  }

  isCurrent(sealed: Uint8Array): boolean {
    const { keyId, encryptedDekSourceType } = decodeEncryptedObject(sealed);
    return keyId === this.#seed?.keyId && encryptedDekSourceType === seedType;
  }

  [Symbol.dispose](): void {
    this.#stopped = true;
    this.#cancelPoll();
    this.#plugin[Symbol.dispose]();
  }

  #boxOf(object: EncryptedObject): Box | Promise<Box> {
    const id = `${object.encryptedDekSourceType}/${Buffer.from(object.encryptedDekSource).toString("base64")}`;
    const known = this.#opened.get(id);
    if (known !== undefined) return known;
    const asked = this.#plugin.decrypt(object).then(
      (secret) => {
        const box = object.encryptedDekSourceType === seedType ? seedBox(secret) : gcmBox(secret);
        this.#keep(id, box);
        return box;
      },
      (error: unknown) => {
        this.#opened.delete(id);
        throw error;
      },
    );
    this.#keep(id, asked);
    return asked;
  }

  #keep(id: string, box: Box | Promise<Box>): void {
    this.#opened.set(id, box);
    const [oldest] = this.#opened.keys();
    if (this.#opened.size > seedsMax && oldest !== undefined) this.#opened.delete(oldest);
  }

  async #refresh(): Promise<void> {
    const { healthz, keyId } = await this.#plugin.status();
    if (healthz !== "ok") throw new Error(`the plugin says that it is not healthy: ${healthz}`);
    if (keyId !== this.#seed?.keyId) await this.#takeSeed();
    this.#goodUntilMs = this.#options.clock.now() + trustMs;
  }

  async #takeSeed(): Promise<void> {
    const secret = randomBytes(seedBytes);
    const { ciphertext, keyId, annotations } = await this.#plugin.encrypt(secret);
    const box = seedBox(secret);
    this.#seed = { box, keyId, encrypted: ciphertext, annotations };
    this.#keep(`${seedType}/${Buffer.from(ciphertext).toString("base64")}`, box);
    this.#options.log.info("encryption key taken into use", {
      provider: this.#options.name,
      keyId,
    });
  }

  #pollAfter(delayMs: number): void {
    if (this.#stopped) return;
    this.#cancelPoll = this.#options.clock.after(delayMs, () => {
      this.#refresh().then(
        () => this.#pollAfter(healthyPollMs),
        (error: unknown) => {
          const { log, name } = this.#options;
          if (!this.#stopped) log.warn("KMS provider did not answer", { provider: name, error });
          this.#pollAfter(unhealthyPollMs);
        },
      );
    });
  }
}

/** As upstream: the plugin is asked every minute, and believed for three. */
const healthyPollMs = 60_000;
const unhealthyPollMs = 10_000;
const trustMs = 3 * 60_000;
const seedBytes = 32;
const seedType = 1;
/** One each time a server starts or the plugin's key changes, until the values are written again. */
const seedsMax = 4_096;

/** The plugin's three calls. */
class Plugin implements Disposable {
  readonly #client: Client;
  readonly #timeoutMs: number;

  constructor({ endpoint, timeoutMs }: KmsOptions) {
    this.#client = new Client(
      endpoint.replace(/^unix:\/+/, "unix:/"),
      credentials.createInsecure(),
    );
    this.#timeoutMs = timeoutMs;
  }

  status(): Promise<{ readonly healthz: string; readonly keyId: string }> {
    return this.#call("Status", {});
  }

  encrypt(plaintext: Uint8Array): Promise<{
    readonly ciphertext: Uint8Array;
    readonly keyId: string;
    readonly annotations: Readonly<Record<string, Uint8Array>>;
  }> {
    return this.#call("Encrypt", { plaintext, uid: randomUUID() });
  }

  async decrypt(object: EncryptedObject): Promise<Uint8Array> {
    const { encryptedDekSource: ciphertext, keyId, annotations } = object;
    const request = { ciphertext, keyId, annotations, uid: randomUUID() };
    const { plaintext } = await this.#call<{ plaintext: Uint8Array }>("Decrypt", request);
    return plaintext;
  }

  [Symbol.dispose](): void {
    this.#client.close();
  }

  #call<Answer>(method: string, request: object): Promise<Answer> {
    const definition = kmsMethods.get(`v2.KeyManagementService/${method}`);
    if (definition === undefined) throw new Error(`Cannot call "${method}": no such method`);
    const { path, requestSerialize, responseDeserialize } = definition;
    return new Promise((resolve, reject) => {
      this.#client.makeUnaryRequest(
        path,
        requestSerialize,
        responseDeserialize,
        request,
        // A deadline is an instant of the machine's clock: gRPC knows no other.
        { deadline: Date.now() + this.#timeoutMs },
        (error, answer) => (error ? reject(error) : resolve(answer as Answer)),
      );
    });
  }
}
