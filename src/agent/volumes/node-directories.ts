import { chmod, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { PersistentVolume } from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { persistentVolumes } from "#api/resources.ts";
import type { Clock } from "#base/clock.ts";
import { type Log, messageOf } from "#base/log.ts";
import type { Client } from "#client/client.ts";
import { createInformer } from "#client/create-informer.ts";
import { mountsBelow } from "#agent/containerd/containerd-clean.ts";

const provisioner = "kogge.dev/local-path";
const provisionedBy = "pv.kubernetes.io/provisioned-by";
const nodeLabel = "kogge.dev/node";

/** Whether the volume is a directory that the cluster itself gave out. */
export function isNodeDirectory({ metadata, spec }: PersistentVolume): boolean {
  return metadata.annotations?.[provisionedBy] === provisioner && spec?.hostPath !== undefined;
}

export interface NodeDirectoriesParts {
  readonly client: Client;
  readonly nodeName: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Where it is noted which directories were made: only those are ever removed. */
  readonly recordDir: string;
}

interface DirectoryRecord {
  readonly path: string;
  readonly policy: string;
}

/**
 * The directories that this node made for volumes of the class `local-path`. A directory goes with its volume's object
 * when the volume's policy is to delete; also when the object went while no agent ran, which is what the notes are for.
 */
export class NodeDirectories {
  readonly #parts: NodeDirectoriesParts;

  constructor(parts: NodeDirectoriesParts) {
    this.#parts = parts;
  }

  /** Makes the volume's directory, for anybody to write, and returns its path. One that is there is left to its owner. */
  async make(volume: PersistentVolume): Promise<string> {
    const path = volume.spec?.hostPath?.path ?? "";
    const isMine = (await this.#read(nameOf(volume))) !== undefined;
    if (!isMine && (await stat(path).catch(() => undefined))?.isDirectory()) return path;
    await this.#note(volume);
    const made = await mkdir(path, { recursive: true });
    // The mode of a new directory is cut by the process's mask.
    if (made !== undefined) await chmod(path, 0o777);
    return path;
  }

  /** Removes what was left while nobody looked, then what becomes free. */
  async follow(): Promise<void> {
    const { nodeName, client, ...parts } = this.#parts;
    const labelSelector = `${nodeLabel}=${nodeName}`;
    const informer = createInformer(client, persistentVolumes, { ...parts, labelSelector });
    await informer.synced;
    informer.onChange(({ kind, object }) => {
      const change = kind === "deleted" ? this.#remove(nameOf(object)) : this.#noteAgain(object);
      change.catch((error: unknown) => this.#warn(nameOf(object), error));
    });
    const known = new Set([...informer.list()].map(nameOf));
    for (const name of await readdir(this.#parts.recordDir).catch(() => [])) {
      if (known.has(name) || name.endsWith(".new")) continue;
      await this.#remove(name).catch((error: unknown) => this.#warn(name, error));
    }
  }

  /** A policy may change while the volume lives. */
  async #noteAgain(volume: PersistentVolume): Promise<void> {
    if ((await this.#read(nameOf(volume))) !== undefined) await this.#note(volume);
  }

  async #note(volume: PersistentVolume): Promise<void> {
    const { hostPath, persistentVolumeReclaimPolicy: policy = "Retain" } = volume.spec ?? {};
    const record: DirectoryRecord = { path: hostPath?.path ?? "", policy };
    const text = JSON.stringify(record);
    const file = this.#file(nameOf(volume));
    if (text === (await readFile(file, "utf8").catch(() => ""))) return;
    await mkdir(this.#parts.recordDir, { recursive: true, mode: 0o700 });
    await writeFile(`${file}.new`, text);
    await rename(`${file}.new`, file);
  }

  async #remove(name: string): Promise<void> {
    const record = await this.#read(name);
    if (record === undefined) return;
    if (record.policy === "Delete") {
      const [mount] = await mountsBelow([record.path]);
      if (mount !== undefined) throw new Error(`"${mount}" is mounted`);
      await rm(record.path, { recursive: true, force: true });
      this.#parts.log.info("volume removed", { volume: name, path: record.path });
    }
    await rm(this.#file(name), { force: true });
  }

  async #read(name: string): Promise<DirectoryRecord | undefined> {
    const text = await readFile(this.#file(name), "utf8").catch(() => undefined);
    return text === undefined ? undefined : (JSON.parse(text) as DirectoryRecord);
  }

  #file(name: string): string {
    return join(this.#parts.recordDir, name);
  }

  #warn(volume: string, error: unknown): void {
    this.#parts.log.warn("volume's directory is not removed", { volume, reason: messageOf(error) });
  }
}
