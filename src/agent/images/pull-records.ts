import { createHash } from "node:crypto";
import { mkdirSync, readdirSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import type { Clock } from "#base/clock.ts";
import { rfc3339 } from "#base/clock.ts";
import { repositoryOf, storedName } from "#agent/images/image-name.ts";

/** A secret that an image was pulled with. Its credentials are kept only as a hash. */
export interface PullSecret {
  readonly uid: string;
  readonly namespace: string;
  readonly name: string;
  readonly credentialHash: string;
}

/** Who may use an image that is here. */
export type ImageAccess =
  /** It was loaded, not pulled: all pods. */
  | { readonly kind: "loaded" }
  /** It was pulled without credentials: all pods. */
  | { readonly kind: "anyone" }
  /** Pods that have one of these; nobody when there is none. */
  | { readonly kind: "secrets"; readonly secrets: readonly PullSecret[] };

/** Upstream's `ImagePulledRecord` (KEP-2535); by repository, because registries allow by repository. */
interface PulledRecord {
  readonly kind: "ImagePulledRecord";
  readonly apiVersion: "kubelet.config.k8s.io/v1beta1";
  readonly lastUpdatedTime: string;
  /** The image's id. */
  readonly imageRef: string;
  readonly credentialMapping: Readonly<Record<string, Credentials>>;
}

interface Credentials {
  readonly nodePodsAccessible?: boolean;
  readonly kubernetesSecrets?: readonly PullSecret[];
}

/** A repository's secrets beyond this are forgotten, the oldest first: their pods pull once more. */
const secretsMax = 100;

/**
 * How the images of a node came there, in files as upstream's node agent keeps them. An image that somebody pulled with
 * credentials is only for pods that have them too.
 */
export class PullRecords {
  readonly #clock: Clock;
  readonly #pulledDir: string;
  readonly #pullingDir: string;
  readonly #records = new Map<string, { record: PulledRecord; updatedMs: number }>();
  /** Files that cannot be read: their images are for nobody until they are pulled again. */
  readonly #unreadable = new Set<string>();
  /** Images that are being pulled, or were when an agent ended, and by how many. */
  readonly #pulling = new Map<string, number>();

  constructor(dir: string, clock: Clock) {
    this.#clock = clock;
    this.#pulledDir = join(dir, "pulled");
    this.#pullingDir = join(dir, "pulling");
    for (const one of [this.#pulledDir, this.#pullingDir]) {
      mkdirSync(one, { recursive: true, mode: 0o700 });
    }
    this.#readPulled();
    for (const name of namesIn(this.#pullingDir)) {
      const { image } = parse<{ image: string }>(join(this.#pullingDir, name)) ?? {};
      if (image !== undefined) this.#pulling.set(image, 0);
    }
  }

  #readPulled(): void {
    for (const name of namesIn(this.#pulledDir)) {
      const record = parse<PulledRecord>(join(this.#pulledDir, name));
      if (record === undefined) this.#unreadable.add(name);
      else this.#records.set(record.imageRef, { record, updatedMs: 0 });
    }
  }

  /** A pull begins: until it has ended, the image counts as pulled by nobody knows whom. */
  begin(image: string): void {
    const name = storedName(image);
    this.#pulling.set(name, (this.#pulling.get(name) ?? 0) + 1);
    const intent = { kind: "ImagePullIntent", apiVersion, image: name };
    writeJson(join(this.#pullingDir, fileOf(name)), intent);
  }

  /** It has ended, after `pulled` was told where it succeeded. */
  end(image: string): void {
    const name = storedName(image);
    const others = (this.#pulling.get(name) ?? 0) - 1;
    if (others > 0) return void this.#pulling.set(name, others);
    this.#pulling.delete(name);
    rmSync(join(this.#pullingDir, fileOf(name)), { force: true });
  }

  /** The image was pulled with a secret, or by anybody where there is none. */
  pulled(image: string, id: string, secret: PullSecret | undefined): void {
    const repository = repositoryOf(image);
    const { credentialMapping = {} } = this.#records.get(id)?.record ?? {};
    const merged = merge(credentialMapping[repository], secret);
    const record: PulledRecord = {
      kind: "ImagePulledRecord",
      apiVersion,
      lastUpdatedTime: rfc3339(this.#clock.now()),
      imageRef: id,
      credentialMapping: { ...credentialMapping, [repository]: merged },
    };
    this.#records.set(id, { record, updatedMs: this.#clock.now() });
    this.#unreadable.delete(fileOf(id));
    writeJson(join(this.#pulledDir, fileOf(id)), record);
  }

  access(image: string, id: string): ImageAccess {
    const record = this.#records.get(id)?.record;
    if (record === undefined) {
      const isUnknown = this.#pulling.has(storedName(image)) || this.#unreadable.has(fileOf(id));
      return isUnknown ? { kind: "secrets", secrets: [] } : { kind: "loaded" };
    }
    const { nodePodsAccessible, kubernetesSecrets = [] } =
      record.credentialMapping[repositoryOf(image)] ?? {};
    return nodePodsAccessible
      ? { kind: "anyone" }
      : { kind: "secrets", secrets: kubernetesSecrets };
  }

  /** Forgets images that were not there at `seenMs`, and pulls of earlier agents that brought nothing. */
  keepOnly(
    images: readonly { readonly id: string; readonly names: readonly string[] }[],
    seenMs: number,
  ): void {
    const ids = new Set(images.map(({ id }) => id));
    const files = new Set(images.map(({ id }) => fileOf(id)));
    for (const [id, { updatedMs }] of this.#records) {
      if (!ids.has(id) && updatedMs < seenMs) this.#forget(id);
    }
    for (const name of this.#unreadable) if (!files.has(name)) this.#unreadable.delete(name);
    const names = new Set(images.flatMap((image) => image.names));
    for (const [image, count] of this.#pulling) {
      if (count === 0 && !names.has(image)) this.end(image);
    }
  }

  #forget(id: string): void {
    this.#records.delete(id);
    rmSync(join(this.#pulledDir, fileOf(id)), { force: true });
  }
}

const apiVersion = "kubelet.config.k8s.io/v1beta1";

/** Whether a pod with these secrets may use an image; the same secret counts also with other credentials in it. */
export function mayUse(access: ImageAccess, secrets: readonly PullSecret[]): boolean {
  return (
    access.kind !== "secrets" ||
    access.secrets.some((known) => secrets.some((own) => isSame(known, own)))
  );
}

function isSame(known: PullSecret, own: PullSecret): boolean {
  return known.credentialHash === own.credentialHash || sameSecret(known, own);
}

export function sameSecret(
  left: Omit<PullSecret, "credentialHash">,
  right: Omit<PullSecret, "credentialHash">,
): boolean {
  return left.uid === right.uid && left.namespace === right.namespace && left.name === right.name;
}

function merge(known: Credentials = {}, secret: PullSecret | undefined): Credentials {
  if (known.nodePodsAccessible || secret === undefined) return { nodePodsAccessible: true };
  const others = (known.kubernetesSecrets ?? []).filter((one) => !sameSecret(one, secret));
  return { kubernetesSecrets: [...others, secret].slice(-secretsMax) };
}

function fileOf(name: string): string {
  return `sha256-${createHash("sha256").update(name).digest("hex")}`;
}

function writeJson(file: string, value: object): void {
  writeFileSync(`${file}.new`, JSON.stringify(value), { mode: 0o600 });
  renameSync(`${file}.new`, file);
}

function namesIn(dir: string): readonly string[] {
  return readdirSync(dir).filter((name) => /^sha256-[0-9a-f]{64}$/.test(name));
}

/** Undefined for what a failing disk left of a file. */
function parse<T>(file: string): T | undefined {
  try {
    return JSON.parse(readFileSync(file, "utf8")) as T;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
