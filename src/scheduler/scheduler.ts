import type { Namespace, Node, Pod } from "#api/generated/types.ts";
import { nameOf, uidOf } from "#api/meta.ts";
import { namespaces, nodes, podDisruptionBudgets, pods } from "#api/resources.ts";
import { isConflict, isNotFound } from "#api/status.ts";
import { rfc3339, sleep, type Clock } from "#base/clock.ts";
import { messageOf, type Log } from "#base/log.ts";
import type { Random } from "#base/random.ts";
import type { Client } from "#client/client.ts";
import type { Change } from "#client/informer.ts";
import type { Informers } from "#client/informers.ts";
import { createEventRecorder, type EventRecorder } from "#reconcile/event-recorder.ts";
import { ClusterState } from "#scheduler/cluster-state.ts";
import type { ClusterEvent, PendingPod, Plugin, Rejection } from "#scheduler/framework.ts";
import { placedPod } from "#scheduler/node-state.ts";
import { createDefaultBinder } from "#scheduler/plugins/default-binder.ts";
import { createDefaultPreemption } from "#scheduler/plugins/default-preemption.ts";
import { createInterPodAffinity } from "#scheduler/plugins/inter-pod-affinity.ts";
import { createPodTopologySpread } from "#scheduler/plugins/pod-topology-spread.ts";
import { imageLocality } from "#scheduler/plugins/image-locality.ts";
import { nodeAffinity } from "#scheduler/plugins/node-affinity.ts";
import { nodeName } from "#scheduler/plugins/node-name.ts";
import { nodePorts } from "#scheduler/plugins/node-ports.ts";
import { nodeResourcesBalanced, nodeResourcesFit } from "#scheduler/plugins/node-resources.ts";
import { nodeUnschedulable } from "#scheduler/plugins/node-unschedulable.ts";
import { prioritySort } from "#scheduler/plugins/priority-sort.ts";
import { taintToleration } from "#scheduler/plugins/taint-toleration.ts";
import { SchedulingCycle, unplacedMessage, type CycleResult } from "#scheduler/scheduling-cycle.ts";
import { SchedulingQueue, type QueuedPod } from "#scheduler/scheduling-queue.ts";

export interface SchedulerParts {
  readonly client: Client;
  /** Over the same client; shared with whoever else reads in this process. */
  readonly informers: Informers;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** In upstream's order. Default: all that are built in. */
  readonly plugins?: readonly Plugin[];
}

export const schedulerName = "default-scheduler";

/** Gives every pod that asks for this scheduler a node. Starts once pods and nodes are known. */
export function createScheduler(parts: SchedulerParts): AsyncDisposable {
  return new Scheduler(parts);
}

/** The plugins that filter and score, over the counts of the cluster's state. */
export function filterPlugins({ counts }: ClusterState): readonly Plugin[] {
  return [
    nodeUnschedulable,
    nodeName,
    taintToleration,
    nodeAffinity,
    nodePorts,
    nodeResourcesFit,
    createPodTopologySpread(counts),
    createInterPodAffinity(counts),
    nodeResourcesBalanced,
    imageLocality,
  ];
}

/** Bindings under way at most; the next pod waits. */
const bindingsMax = 128;
/** Pods placed before others in the process get their turn. */
const turnPods = 16;

type Unplaced = Extract<CycleResult, { kind: "unplaced" }>;

class Scheduler implements AsyncDisposable {
  readonly #parts: SchedulerParts;
  readonly #plugins: readonly Plugin[];
  readonly #cluster = new ClusterState();
  readonly #queue: SchedulingQueue;
  readonly #cycle: SchedulingCycle;
  readonly #recorder: EventRecorder;
  readonly #stop = new AbortController();
  readonly #listening: Disposable[] = [];
  readonly #bindings = new Set<Promise<void>>();
  readonly #running: Promise<void>;

  constructor(parts: SchedulerParts) {
    const { client, clock, log, random } = parts;
    const signal = this.#stop.signal;
    this.#parts = parts;
    this.#recorder = createEventRecorder({ client, clock, log, signal, component: schedulerName });
    this.#plugins = parts.plugins ?? this.#builtinPlugins();
    this.#cycle = new SchedulingCycle(this.#plugins, random);
    const sort = this.#plugins.find((plugin) => plugin.queueSort)?.queueSort;
    this.#queue = new SchedulingQueue({
      clock,
      before: sort ?? ((one, other) => one.sinceMs < other.sinceMs),
      helps: (event, queued) => this.#helps(event, queued),
    });
    parts.signal.addEventListener("abort", () => this.#end(), { once: true });
    this.#running = this.#run().catch((error: unknown) => {
      if (!signal.aborted) log.error("scheduler stopped", { error });
    });
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#end();
    await this.#running;
    await Promise.allSettled(this.#bindings);
  }

  #end(): void {
    this.#stop.abort();
    this.#queue.close();
    for (const listening of this.#listening.splice(0)) listening[Symbol.dispose]();
  }

  #builtinPlugins(): readonly Plugin[] {
    const { client, clock, informers } = this.#parts;
    const podOf = ({ namespace, name }: { namespace: string; name: string }) =>
      informers.of(pods).get({ namespace, name });
    return [
      prioritySort,
      ...filterPlugins(this.#cluster),
      createDefaultPreemption({
        client,
        clock,
        recorder: this.#recorder,
        podOf,
        budgetsOf: (namespace) => [...informers.of(podDisruptionBudgets).list(namespace)],
        nominate: (pod, nodeName) => this.#cluster.nominate(pod, nodeName),
      }),
      createDefaultBinder(client),
    ];
  }

  async #run(): Promise<void> {
    const podInformer = this.#parts.informers.of(pods);
    const nodeInformer = this.#parts.informers.of(nodes);
    const namespaceInformer = this.#parts.informers.of(namespaces);
    const budgetInformer = this.#parts.informers.of(podDisruptionBudgets);
    await Promise.all([podInformer.synced, nodeInformer.synced, namespaceInformer.synced]);
    await budgetInformer.synced;
    if (this.#stop.signal.aborted) return;
    this.#listening.push(namespaceInformer.onChange((change) => this.#namespaceChanged(change)));
    this.#listening.push(nodeInformer.onChange((change) => this.#nodeChanged(change)));
    this.#listening.push(podInformer.onChange((change) => this.#podChanged(change)));
    let placedInTurn = 0;
    for (let queued = await this.#queue.take(); queued; queued = await this.#queue.take()) {
      this.#schedule(queued);
      if (this.#bindings.size >= bindingsMax) await Promise.race(this.#bindings);
      if (++placedInTurn % turnPods === 0) await sleep(this.#parts.clock, 0, this.#stop.signal);
    }
  }

  #schedule(queued: QueuedPod): void {
    const { pending } = queued;
    const result = this.#cycle.run(pending, this.#cluster.nodes);
    if (result.kind === "unplaced") return this.#track(this.#fail(pending, result));
    const { nodeName: node } = result;
    const refused = this.#reserve(pending, node);
    if (refused) {
      const rejectedBy = new Set([refused.by]);
      const failed = { ...refused, kind: "unplaced" as const, rejectedBy, state: new Map() };
      return this.#track(this.#fail(pending, { ...failed, rejections: new Map(), whole: refused }));
    }
    this.#cluster.place(pending.placed, node);
    this.#track(this.#bind(pending, node));
  }

  #track(work: Promise<void>): void {
    const tracked = work.finally(() => this.#bindings.delete(tracked));
    this.#bindings.add(tracked);
  }

  #reserve(pending: PendingPod, node: string): (Rejection & { by: string }) | undefined {
    const reserved: Plugin[] = [];
    for (const plugin of this.#plugins) {
      const rejection = plugin.reserve?.(pending, node);
      if (rejection) {
        for (const done of reserved.toReversed()) done.unreserve?.(pending, node);
        return { ...rejection, by: plugin.name };
      }
      reserved.push(plugin);
    }
    return undefined;
  }

  async #bind(pending: PendingPod, node: string): Promise<void> {
    const { signal } = this.#stop;
    const { namespace, name, uid } = pending.placed;
    try {
      await this.#permit(pending, node);
      for (const { bind } of this.#plugins) await bind?.(pending, node, signal);
      // The queue knows the pod until the informer shows it bound: a late change must not bring it back.
      this.#recorder.record(pending.pod, {
        type: "Normal",
        reason: "Scheduled",
        message: `Successfully assigned ${namespace}/${name} to ${node}`,
      });
    } catch (error) {
      if (signal.aborted) return;
      this.#takeBack(pending, node);
      if (isNotFound(error)) return this.#queue.remove(uid);
      if (!isConflict(error)) this.#parts.log.warn("pod not bound", { pod: name, node, error });
      await this.#tell(pending, { reason: "SchedulerError", message: messageOf(error) }).catch(
        (problem: unknown) =>
          this.#parts.log.warn("pod not told why", { pod: name, error: problem }),
      );
      this.#queue.giveBack(uid, new Set());
    }
  }

  async #permit(pending: PendingPod, node: string): Promise<void> {
    for (const { name, permit } of this.#plugins) {
      const rejection = await permit?.(pending, node);
      if (rejection) throw new Error(`Cannot bind: ${name}: ${rejection.reasons.join(", ")}`);
    }
  }

  #takeBack(pending: PendingPod, node: string): void {
    for (const plugin of this.#plugins.toReversed()) plugin.unreserve?.(pending, node);
    // The pod may have got there after all; then the informer has said so, or will.
    const known = this.#parts.informers.of(pods).get(pending.placed);
    if (!known?.spec?.nodeName) this.#cluster.removePod(pending.placed.uid);
  }

  async #fail(pending: PendingPod, result: Unplaced): Promise<void> {
    const { signal } = this.#stop;
    const { uid } = pending.placed;
    const all = this.#cluster.nodes;
    // Given back first: what happens while the message is written may help already.
    this.#queue.giveBack(uid, all.length === 0 ? everyPlugin(this.#plugins) : result.rejectedBy);
    try {
      const preemption = all.length === 0 ? undefined : await this.#postFilter(pending, result);
      const message = unplacedMessage(all.length, result, preemption);
      await this.#tell(pending, { reason: "Unschedulable", message });
    } catch (error) {
      if (signal.aborted || isNotFound(error)) return;
      this.#parts.log.warn("pod neither placed nor told", { pod: pending.placed.name, error });
    }
  }

  async #postFilter(pod: PendingPod, result: Unplaced): Promise<string | undefined> {
    const { state, rejections } = result;
    for (const { postFilter } of this.#plugins) {
      const said = await postFilter?.({
        pod,
        state,
        rejections,
        nodes: this.#cluster.nodes,
        fits: (node) => this.#cycle.fits(pod, node, state),
        signal: this.#stop.signal,
      });
      if (said !== undefined) return said;
    }
    return undefined;
  }

  /** An event, and the condition PodScheduled=False where it does not yet say this. */
  async #tell(
    { pod, placed }: PendingPod,
    { reason, message }: { readonly reason: string; readonly message: string },
  ): Promise<void> {
    this.#recorder.record(pod, { type: "Warning", reason: "FailedScheduling", message });
    const known = pod.status?.conditions?.find(({ type }) => type === "PodScheduled");
    if (known?.status === "False" && known.reason === reason && known.message === message) return;
    const changed = known?.status !== "False";
    const condition = {
      type: "PodScheduled",
      status: "False",
      reason,
      message,
      ...(changed && { lastTransitionTime: rfc3339(this.#parts.clock.now()) }),
    };
    const value = { metadata: { uid: placed.uid }, status: { conditions: [condition] } };
    const { namespace, name } = placed;
    const options = { subresource: "status", signal: this.#stop.signal };
    const patch = { kind: "strategic" as const, value };
    await this.#parts.client
      .patch(pods, { namespace, name }, patch, options)
      .catch((error: unknown) => {
        if (!isNotFound(error) && !this.#stop.signal.aborted) throw error;
      });
  }

  #helps(event: ClusterEvent, { pending, rejectedBy }: QueuedPod): boolean {
    return this.#plugins.some(
      ({ name, helpedBy }) => rejectedBy.has(name) && helpedBy?.(event, pending),
    );
  }

  #nodeChanged(change: Change<Node>): void {
    if (change.kind === "deleted") return this.#cluster.removeNode(nameOf(change.object));
    const event = this.#cluster.putNode(change.object);
    if (event) this.#queue.notify(event);
  }

  #namespaceChanged({ kind, object: { metadata } }: Change<Namespace>): void {
    const labels = kind === "deleted" ? undefined : (metadata.labels ?? {});
    const changed = this.#cluster.counts.putNamespace(metadata.name ?? "", labels);
    if (changed) this.#queue.notify({ kind: "namespaceChanged" });
  }

  #podChanged({ kind, object: pod }: Change<Pod>): void {
    const uid = uidOf(pod);
    const { phase } = pod.status ?? {};
    if (kind === "deleted" || phase === "Succeeded" || phase === "Failed") {
      this.#forget(uid);
      const gone = this.#cluster.removePod(uid);
      if (gone) this.#queue.notify({ kind: "podGone", pod: gone });
    } else if (pod.spec?.nodeName) this.#podOnNode(pod);
    else if (isOurs(pod)) this.#podWaits(pod);
    else this.#forget(uid);
  }

  #podOnNode(pod: Pod): void {
    const uid = uidOf(pod);
    // What was assumed is news to those that wait only now that it is so.
    const before = this.#queue.has(uid) ? undefined : this.#cluster.placed(uid);
    this.#queue.remove(uid);
    const placed = this.#cluster.putPod(pod);
    if (before?.shape.key === placed.shape.key) return;
    this.#queue.notify({ kind: "podPlaced", pod: placed });
  }

  #podWaits(pod: Pod): void {
    const placed = placedPod(pod);
    const nominated = pod.status?.nominatedNodeName;
    if (nominated && !this.#cluster.placed(placed.uid)) this.#cluster.nominate(placed, nominated);
    this.#queue.put({ pod, placed });
  }

  #forget(uid: string): void {
    this.#queue.remove(uid);
    this.#cluster.forgetNomination(uid);
  }
}

function isOurs({ metadata, spec }: Pod): boolean {
  if (metadata.deletionTimestamp !== undefined) return false;
  if ((spec?.schedulerName ?? schedulerName) !== schedulerName) return false;
  return (spec?.schedulingGates ?? []).length === 0;
}

function everyPlugin(plugins: readonly Plugin[]): ReadonlySet<string> {
  return new Set(plugins.map(({ name }) => name));
}
