import type { OwnerReference } from "#api/generated/types.ts";
import { uidOf, type KubeObject, type ObjectName } from "#api/meta.ts";
import type { Resource } from "#api/resource.ts";
import { customResourceDefinitions } from "#api/resources.ts";
import { ifFound } from "#api/status.ts";
import { sleep } from "#base/clock.ts";
import type { Informer } from "#client/informer.ts";
import {
  foregroundFinalizer,
  orphanFinalizer,
  OwnerGraph,
  type GraphNode,
} from "#controllers/garbage-collector/owner-graph.ts";
import { planCollection, type OwnerState } from "#controllers/garbage-collector/plan-collection.ts";
import {
  WatchedResources,
  type WatchedResource,
} from "#controllers/garbage-collector/watched-resources.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { createController, type Controller, type Run, type Source } from "#reconcile/controller.ts";
import { deleteThis } from "#reconcile/delete-this.ts";
import type { WorkQueue } from "#reconcile/work-queue.ts";

/**
 * Deletes what has lost its owners, and carries out foreground and orphaning deletions. It watches every resource
 * that is served, custom ones too, and keeps of an object only who owns it. Nothing is deleted on the word of a
 * cache: the object, and an owner that seems gone, are read again first, and a deletion names the uid.
 */
export function createGarbageCollector(kit: ControllerKit): Controller {
  const collector = new Collector(kit);
  return createController({
    name: "garbagecollector",
    reads: ["every resource"],
    writes: [
      { resource: "*", fields: "deletion", of: "without owners" },
      { resource: "*", fields: "metadata.finalizers", of: "being deleted" },
      { resource: "*", fields: "metadata.ownerReferences", of: "with lost owners" },
    ],
    sources: [collector],
    reconcile: (uid, run) => collector.reconcile(uid, run),
    concurrency: 20,
    clock: kit.clock,
    log: kit.log,
  });
}

/** New kinds are looked for this soon after a definition changed: it takes a moment until they are served. */
const refreshAfterMs = 200;
const refreshKey = "refresh";
const pauseMinMs = 100;
const pauseMaxMs = 30_000;

class Collector implements Source {
  readonly #kit: ControllerKit;
  readonly #graph = new OwnerGraph();
  readonly #resources: WatchedResources;
  readonly #definitions: Informer<KubeObject>;
  readonly #listening: Disposable[] = [];
  #first: readonly WatchedResource[] = [];
  #queue: WorkQueue | undefined;
  readonly synced: Promise<void>;

  constructor(kit: ControllerKit) {
    this.#kit = kit;
    this.#resources = new WatchedResources(kit);
    this.#definitions = kit.informers.of<KubeObject>(customResourceDefinitions);
    this.synced = this.#watchAll();
    this.synced.catch(() => {});
  }

  listen(queue: WorkQueue): Disposable {
    this.#queue = queue;
    // First everything is known, then it is judged: an owner may be listed after its dependents.
    for (const { resource, informer } of this.#first) {
      for (const object of informer.list()) this.#graph.put(resource, object);
    }
    for (const watched of this.#first) this.#follow(watched);
    this.#listening.push(
      this.#definitions.onChange(() => queue.addAfter(refreshKey, refreshAfterMs)),
    );
    return {
      [Symbol.dispose]: () => {
        for (const listening of this.#listening.splice(0)) listening[Symbol.dispose]();
        this.#resources.stop();
      },
    };
  }

  async reconcile(uid: string, run: Run): Promise<void> {
    if (uid === refreshKey) return this.#refresh();
    const node = this.#graph.get(uid);
    if (node === undefined) return;
    const object = await this.#read(node.resource, node, run.signal);
    if (object === undefined || object.metadata.uid !== uid) return;
    if (node.orphaning) return this.#orphan(node, object, run.signal);
    if (node.foreground) return this.#finishForeground(node, object, run.signal);
    if (object.metadata.deletionTimestamp === undefined) await this.#collect(node, object, run);
  }

  async #watchAll(): Promise<void> {
    this.#first = await this.#discovered();
    await Promise.all(this.#first.map(({ informer }) => informer.synced));
  }

  /** Without what is served it cannot begin, so it asks until it hears. */
  async #discovered(): Promise<readonly WatchedResource[]> {
    const { clock, log, signal } = this.#kit;
    for (let pauseMs = pauseMinMs; ; pauseMs = Math.min(pauseMs * 2, pauseMaxMs)) {
      try {
        return await this.#resources.refresh();
      } catch (error) {
        if (signal.aborted) throw error;
        log.warn("resources not discovered", { error });
        await sleep(clock, pauseMs, signal);
      }
    }
  }

  async #refresh(): Promise<void> {
    const added = await this.#resources.refresh();
    await Promise.all(added.map(({ informer }) => informer.synced));
    for (const watched of added) this.#follow(watched);
  }

  #follow({ resource, informer }: WatchedResource): void {
    const listening = informer.onChange(({ kind, object }) => {
      if (kind === "deleted") this.#removed(object);
      else this.#changed(this.#graph.put(resource, object));
    });
    this.#listening.push(listening);
  }

  #changed(node: GraphNode): void {
    const toBeJudged = node.owners.some(({ uid }) => {
      const owner = this.#graph.get(uid);
      return owner === undefined || owner.foreground;
    });
    if (node.orphaning || node.foreground || toBeJudged) this.#queue?.add(node.uid);
  }

  #removed(object: KubeObject): void {
    const uid = uidOf(object);
    const owners = this.#graph.get(uid)?.owners ?? [];
    this.#graph.remove(uid);
    for (const dependent of this.#graph.dependentsOf(uid)) this.#queue?.add(dependent.uid);
    for (const owner of owners) {
      if (this.#graph.get(owner.uid)?.foreground) this.#queue?.add(owner.uid);
    }
  }

  async #collect(node: GraphNode, object: KubeObject, { signal }: Run): Promise<void> {
    const { ownerReferences: references = [], finalizers = [] } = object.metadata;
    const states = await Promise.all(
      references.map((reference) => this.#stateOf(reference, node, signal)),
    );
    const dependents = [...this.#graph.dependentsOf(node.uid)];
    const action = planCollection({
      owners: references.map((reference, index) => ({
        reference,
        state: states[index] ?? "solid",
      })),
      hasDependents: dependents.length > 0,
      dependentWaits: dependents.some(({ foreground }) => foreground),
      finalizers,
    });
    if (action.kind === "keep") return;
    if (action.kind === "dropOwners") {
      const kept = references.filter(({ uid }) => !action.uids.includes(uid));
      return this.#patch(node, object, { ownerReferences: orNothing(kept) }, signal);
    }
    if (action.unblock) {
      const free = references.map((reference) => ({ ...reference, blockOwnerDeletion: false }));
      await this.#patch(node, object, { ownerReferences: free }, signal);
    }
    await this.#delete(node, action.policy, signal);
  }

  async #stateOf(
    reference: OwnerReference,
    node: GraphNode,
    signal: AbortSignal,
  ): Promise<OwnerState> {
    const owner = this.#graph.get(reference.uid);
    if (owner) {
      return owner.foreground && reference.blockOwnerDeletion === true ? "waiting" : "solid";
    }
    const resource = this.#resources.ofKind(reference.apiVersion, reference.kind);
    if (resource === undefined) {
      throw new Error(
        `Cannot find the owner of ${node.resource.resource} "${node.name}": ` +
          `no kind ${reference.kind} of ${reference.apiVersion} is served`,
      );
    }
    // An object of no namespace cannot have an owner in one; nothing can be said of such an owner.
    if (resource.namespaced && node.namespace === "") return "solid";
    const at = { name: reference.name, namespace: node.namespace };
    const found = await this.#read(resource, at, signal);
    return found?.metadata.uid === reference.uid ? "solid" : "absent";
  }

  async #finishForeground(node: GraphNode, object: KubeObject, signal: AbortSignal): Promise<void> {
    const dependents = [...this.#graph.dependentsOf(node.uid)];
    const blocks = ({ owners }: GraphNode): boolean =>
      owners.some(({ uid, blockOwnerDeletion }) => uid === node.uid && blockOwnerDeletion === true);
    if (dependents.some(blocks)) {
      for (const dependent of dependents) if (!dependent.deleting) this.#queue?.add(dependent.uid);
      return;
    }
    await this.#removeFinalizer(node, object, foregroundFinalizer, signal);
  }

  async #orphan(node: GraphNode, object: KubeObject, signal: AbortSignal): Promise<void> {
    for (const dependent of this.#graph.dependentsOf(node.uid)) {
      const current = await this.#read(dependent.resource, dependent, signal);
      if (current?.metadata.uid !== dependent.uid) continue;
      const { ownerReferences: references = [] } = current.metadata;
      const kept = references.filter(({ uid }) => uid !== node.uid);
      if (kept.length === references.length) continue;
      await this.#patch(dependent, current, { ownerReferences: orNothing(kept) }, signal);
    }
    await this.#removeFinalizer(node, object, orphanFinalizer, signal);
  }

  #removeFinalizer(
    ...[node, object, name, signal]: [GraphNode, KubeObject, string, AbortSignal]
  ): Promise<void> {
    const finalizers = (object.metadata.finalizers ?? []).filter((finalizer) => finalizer !== name);
    return this.#patch(node, object, { finalizers: orNothing(finalizers) }, signal);
  }

  /** A merge patch works for custom resources too; the version in it refuses a stale one. */
  async #patch(
    ...[node, object, metadata, signal]: [GraphNode, KubeObject, object, AbortSignal]
  ): Promise<void> {
    const { uid, resourceVersion } = object.metadata;
    const value = { metadata: { uid, resourceVersion, ...metadata } };
    const patch = { kind: "merge" as const, value };
    await ifFound(this.#kit.client.patch(node.resource, placeOf(node), patch, { signal }));
  }

  async #delete(
    node: GraphNode,
    propagationPolicy: "Foreground" | "Background" | "Orphan",
    signal: AbortSignal,
  ): Promise<void> {
    const { resource, uid } = node;
    const object = { metadata: { ...placeOf(node), uid } };
    await deleteThis(this.#kit.client, { resource, object }, { propagationPolicy, signal });
  }

  #read(resource: Resource, at: ObjectName, signal: AbortSignal): Promise<KubeObject | undefined> {
    const { name, namespace } = at;
    const place = { name, ...(resource.namespaced && namespace && { namespace }) };
    return ifFound(this.#kit.client.get(resource, place, { signal }));
  }
}

function placeOf({ name, namespace }: GraphNode): ObjectName {
  return { name, ...(namespace !== "" && { namespace }) };
}

/** An empty list is left out of objects; in a merge patch, null does that. */
function orNothing<T>(list: readonly T[]): readonly T[] | null {
  return list.length === 0 ? null : list;
}
