import type { Pod } from "#api/generated/types.ts";
import { uidOf } from "#api/meta.ts";
import { type Log, messageOf } from "#base/log.ts";
import type { Informer } from "#client/informer.ts";
import { type GonePod, Leftovers } from "#agent/pods/leftovers.ts";
import { VolumeSources, volumeSourcesOf } from "#agent/pods/object-reader.ts";
import { isMirror, isStatic } from "#agent/static-pods/mirror-keeper.ts";
import { isTerminal, type PodEnd } from "#agent/pods/pod-observation.ts";
import type { PodParts } from "#agent/pods/pod-parts.ts";
import { PodWorker } from "#agent/pods/pod-worker.ts";
import { orderResizes } from "#agent/pods/resize-order.ts";
import type { RuntimeEvent } from "#agent/runtime/container-runtime.ts";

/** What is left of a pod without an object gets this to end by itself, as upstream; the runtime waits two at least. */
const orphanGraceSeconds = 1;

/** One worker for each pod of the node, and for what was left of pods whose object is gone. */
export class PodManager implements Disposable {
  readonly #parts: PodParts;
  readonly #log: Log;
  readonly #workers = new Map<string, PodWorker>();
  readonly #sources: VolumeSources | undefined;
  readonly #leftovers: Leftovers;
  #subscription: Disposable | undefined;
  #changes: Disposable | undefined;

  constructor(parts: PodParts, watchesVolumes: boolean) {
    this.#parts = { ...parts, onRoom: () => this.#askAgain() };
    this.#log = parts.log;
    const refresh = (source: string): void => this.#refresh(source);
    this.#sources = watchesVolumes ? new VolumeSources(parts, refresh) : undefined;
    this.#leftovers = new Leftovers({
      ...parts,
      isKnown: (uid) => this.#workers.has(uid),
      clearUp: (pod) => this.#clearUp(pod),
    });
  }

  /** Takes over what runs already, then follows the pods that `informer` knows. */
  async start(informer: Informer<Pod>): Promise<void> {
    const { view, runtime } = this.#parts;
    this.#subscription = runtime.onEvent((event) => void this.#onEvent(event));
    await Promise.all([view.reload(), informer.synced]);
    this.#changes = informer.onChange(({ kind, object }) => {
      const isGone = kind === "deleted";
      if (isMirror(object)) {
        if (isGone) this.#parts.mirrors.gone(object);
        else this.#parts.mirrors.seen(object);
      } else if (isGone) this.#remove(object);
      else this.#update(object);
    });
    await this.#leftovers.start();
  }

  /** The pods that run because of files: exactly these, from now on. */
  setStatic(all: readonly Pod[]): void {
    const wanted = new Set(all.map(uidOf));
    for (const { pod } of this.#workers.values()) {
      if (isStatic(pod) && !wanted.has(uidOf(pod))) this.#remove(pod);
    }
    for (const pod of all) if (!this.#workers.has(uidOf(pod))) this.#update(pod);
    this.#parts.mirrors.setStatic(all);
  }

  /** A static pod's status can be written from now on, or must be written to another object. */
  retell(pod: Pod): void {
    this.#workers.get(uidOf(pod))?.retell();
  }

  /** Something that a pod's status shows has changed. */
  wake(uid: string): void {
    this.#workers.get(uid)?.wake();
  }

  /** A driver of claims can be asked: pods that wait for theirs try again. */
  retryClaims(): void {
    for (const worker of this.#workers.values()) worker.retryClaims();
  }

  /** Whether the pod of this uid may still run something. */
  knows(uid: string): boolean {
    return this.#workers.has(uid);
  }

  /** The pod as the API last said it, by its names; of several the newest, while what an older one left is cleared. */
  find(namespace: string, name: string): Pod | undefined {
    let newest: Pod | undefined;
    for (const { pod } of this.#workers.values()) {
      if (pod.metadata.name === name && pod.metadata.namespace === namespace) newest = pod;
    }
    return newest;
  }

  /** All that the node has, as the API last said it. */
  pods(): readonly Pod[] {
    return [...this.#workers.values()].map(({ pod }) => pod);
  }

  /** The same with the statuses that were told last. */
  told(): readonly Pod[] {
    return [...this.#workers.values()].map(({ told }) => told);
  }

  /** Those that the node has taken and that may still run, without `asking`; with the resources they were granted. */
  taken(asking: Pod): readonly Pod[] {
    return [...this.#workers.values()]
      .filter(({ pod, isTaken }) => isTaken && pod.metadata.uid !== asking.metadata.uid)
      .map(({ pod }) => pod);
  }

  /** Ends a pod although its object stays; resolves once nothing of it runs and its volumes are given back. */
  async end(pod: Pod, end: PodEnd): Promise<void> {
    await this.#workers.get(uidOf(pod))?.end(end);
  }

  [Symbol.dispose](): void {
    this.#leftovers[Symbol.dispose]();
    this.#changes?.[Symbol.dispose]();
    this.#subscription?.[Symbol.dispose]();
    this.#sources?.[Symbol.dispose]();
    for (const worker of this.#workers.values()) worker.release();
  }

  #update(pod: Pod): void {
    const uid = uidOf(pod);
    const known = this.#workers.get(uid);
    if (known) {
      const gaveRoom = known.isTaken && isTerminal(pod);
      known.update(pod);
      if (gaveRoom) this.#askAgain();
      return;
    }
    const worker = new PodWorker(this.#parts, pod);
    this.#workers.set(uid, worker);
    this.#watchSources();
    worker.wake();
  }

  /** What had to wait for room may have it now. */
  #askAgain(): void {
    const waiting = [...this.#workers.values()].flatMap((worker) => {
      const resize = worker.waitingResize;
      return resize ? [{ ...resize, worker }] : [];
    });
    for (const { worker } of orderResizes(waiting)) worker.askAgain();
  }

  #remove(pod: Pod): void {
    const worker = this.#workers.get(uidOf(pod));
    worker?.update(pod);
    worker?.remove(() => {
      this.#workers.delete(uidOf(pod));
      this.#parts.probeResults.forget(pod);
      this.#parts.onGone?.(pod);
      this.#askAgain();
      this.#watchSources();
    });
  }

  /** A pod that was deleted while no agent ran: what it wanted is not known any more, so it ends as soon as upstream's. */
  #clearUp({ uid, namespace, name }: GonePod): void {
    const { view, metrics } = this.#parts;
    if (view.sandboxesOf(uid).some(({ state }) => state === "ready")) metrics.orphanFound();
    const pod: Pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { uid, namespace, name },
      spec: { containers: [], terminationGracePeriodSeconds: orphanGraceSeconds },
    };
    this.#workers.set(uid, new PodWorker(this.#parts, pod));
    this.#log.info("pod without an object is removed", { pod: `${namespace}/${name}` });
    this.#remove(pod);
  }

  async #onEvent(event: RuntimeEvent): Promise<void> {
    try {
      const uid = await this.#apply(event);
      if (uid === "all") for (const worker of this.#workers.values()) worker.wake();
      else if (uid !== undefined) this.#workers.get(uid)?.wake();
    } catch (error) {
      this.#log.warn("runtime event not followed", { reason: messageOf(error) });
    }
  }

  /** Returns the uid of the pod that the event is about. */
  async #apply({
    kind,
    containerId = "",
    sandboxId = "",
  }: RuntimeEvent): Promise<string | undefined> {
    const { view } = this.#parts;
    switch (kind) {
      case "container-started":
      case "container-exited":
        return view.refreshContainer(containerId);
      case "container-removed":
        return view.dropContainer(containerId);
      case "sandbox-stopped":
        return view.stopSandbox(sandboxId);
      case "runtime-back":
        await view.reload();
        return "all";
      case "runtime-lost":
        return undefined;
    }
  }

  #refresh(source: string): void {
    for (const worker of this.#workers.values()) {
      if (volumeSourcesOf(worker.pod).has(source)) worker.refreshVolumes();
    }
  }

  #watchSources(): void {
    if (this.#sources === undefined) return;
    const all = [...this.#workers.values()].flatMap(({ pod }) => [...volumeSourcesOf(pod)]);
    this.#sources.watch(new Set(all));
  }
}
