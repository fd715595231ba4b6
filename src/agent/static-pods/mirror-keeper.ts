import type { Pod } from "#api/generated/types.ts";
import { nameOf, namespaceOf } from "#api/meta.ts";
import { pods } from "#api/resources.ts";
import { isAlreadyExists } from "#api/status.ts";
import type { Clock } from "#base/clock.ts";
import { type Log, messageOf } from "#base/log.ts";
import type { Client } from "#client/client.ts";
import { staticMarks } from "#agent/static-pods/read-manifest.ts";
import { deleteThis } from "#reconcile/delete-this.ts";

export interface MirrorParts {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly nodeName: string;
  /** The uid of the node's object, which owns the mirrors; undefined while it is not registered. */
  readonly nodeUid: () => string | undefined;
  /** Called when a static pod has got an object that its status can be written to. */
  readonly onMirror: (pod: Pod) => void;
}

const retryMs = 5000;

/** Keeps one object in the API for each static pod, so that it is seen there: made anew when it is deleted or stale. */
export class MirrorKeeper implements Disposable {
  readonly #parts: MirrorParts;
  readonly #static = new Map<string, Pod>();
  readonly #mirrors = new Map<string, Pod>();
  #isWorking = false;
  #workAgain = false;
  #isEnded = false;
  #cancel: () => void = () => {};

  constructor(parts: MirrorParts) {
    this.#parts = parts;
  }

  setStatic(all: readonly Pod[]): void {
    this.#static.clear();
    for (const pod of all) this.#static.set(keyOf(pod), pod);
    this.wake();
  }

  /** The API has this mirror. */
  seen(mirror: Pod): void {
    const key = keyOf(mirror);
    const before = this.#mirrors.get(key);
    this.#mirrors.set(key, mirror);
    const pod = this.#static.get(key);
    if (before?.metadata.uid !== mirror.metadata.uid && pod) this.#parts.onMirror(pod);
    this.wake();
  }

  gone(mirror: Pod): void {
    const key = keyOf(mirror);
    if (this.#mirrors.get(key)?.metadata.uid === mirror.metadata.uid) this.#mirrors.delete(key);
    this.wake();
  }

  /** Which object a pod's status is written to: its own, or its mirror; undefined while there is none. */
  uidOf(pod: Pod): string | undefined {
    if (!isStatic(pod)) return pod.metadata.uid;
    const mirror = this.#mirrors.get(keyOf(pod));
    return mirror && isMirrorOf(mirror, pod) ? mirror.metadata.uid : undefined;
  }

  wake(): void {
    this.#workAgain = true;
    if (!this.#isWorking && !this.#isEnded) void this.#work();
  }

  [Symbol.dispose](): void {
    this.#isEnded = true;
    this.#cancel();
  }

  async #work(): Promise<void> {
    this.#isWorking = true;
    this.#cancel();
    while (this.#workAgain && !this.#isEnded) {
      this.#workAgain = false;
      try {
        await this.#reconcile();
      } catch (error) {
        if (this.#isEnded) break;
        this.#parts.log.warn("mirror pod not written", { reason: messageOf(error) });
        this.#cancel = this.#parts.clock.after(retryMs, () => this.wake());
      }
    }
    this.#isWorking = false;
  }

  async #reconcile(): Promise<void> {
    for (const [key, mirror] of this.#mirrors) {
      const pod = this.#static.get(key);
      if (pod && isMirrorOf(mirror, pod) && !mirror.metadata.deletionTimestamp) continue;
      await this.#delete(mirror);
      this.#mirrors.delete(key);
    }
    for (const [key, pod] of this.#static) {
      if (this.#mirrors.has(key)) continue;
      const mirror = await this.#create(pod);
      if (mirror === undefined) continue;
      this.#mirrors.set(key, mirror);
      this.#parts.onMirror(pod);
    }
  }

  async #create(pod: Pod): Promise<Pod | undefined> {
    const { client, nodeName, nodeUid } = this.#parts;
    const uid = nodeUid();
    if (uid === undefined) throw new Error(`node "${nodeName}" is not registered`);
    const { uid: _, ...metadata } = pod.metadata;
    const hash = pod.metadata.annotations?.[staticMarks.hash] ?? "";
    const owner = { apiVersion: "v1", kind: "Node", name: nodeName, uid, controller: true };
    const annotations = { ...metadata.annotations, [staticMarks.mirror]: hash };
    try {
      const { status: _status, ...rest } = pod;
      return await client.create(pods, {
        ...rest,
        metadata: { ...metadata, annotations, ownerReferences: [owner] },
      });
    } catch (error) {
      // Another's pod of that name, or an old mirror that the watch has yet to tell of.
      if (isAlreadyExists(error)) return undefined;
      throw error;
    }
  }

  async #delete(mirror: Pod): Promise<void> {
    const { client } = this.#parts;
    await deleteThis(client, { resource: pods, object: mirror }, { gracePeriodSeconds: 0 });
  }
}

export function isMirror({ metadata }: Pod): boolean {
  return metadata.annotations?.[staticMarks.mirror] !== undefined;
}

export function isStatic({ metadata }: Pod): boolean {
  const { annotations } = metadata;
  return (
    annotations?.[staticMarks.source] === "file" && annotations[staticMarks.mirror] === undefined
  );
}

function isMirrorOf(mirror: Pod, pod: Pod): boolean {
  const hash = mirror.metadata.annotations?.[staticMarks.mirror];
  return hash === pod.metadata.annotations?.[staticMarks.hash];
}

function keyOf(pod: Pod): string {
  return `${namespaceOf(pod)}/${nameOf(pod)}`;
}
