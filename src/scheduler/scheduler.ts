import type { Namespace, Node, Pod } from "#api/generated/types.ts";
import { nameOf, uidOf } from "#api/meta.ts";
import { namespaces, nodes, podDisruptionBudgets, pods } from "#api/resources.ts";
import { isConflict, isNotFound } from "#api/status.ts";
import { sleep, type Clock } from "#base/clock.ts";
import { messageOf, type Log } from "#base/log.ts";
import type { Random } from "#base/random.ts";
import type { Client } from "#client/client.ts";
import type { Change } from "#client/informer.ts";
import type { Informers } from "#client/informers.ts";
import { createEventRecorder, type EventRecorder } from "#reconcile/event-recorder.ts";
import { requestsLess } from "#scheduler/amounts.ts";
import { ClusterState } from "#scheduler/cluster-state.ts";
import { DeviceInventory } from "#scheduler/devices/device-inventory.ts";
import type {
  ClusterEvent,
  CycleState,
  PendingPod,
  Plugin,
  Rejection,
} from "#scheduler/framework.ts";
import { placedPod } from "#scheduler/node-state.ts";
import { builtinPlugins } from "#scheduler/plugins/builtin-plugins.ts";
import {
  createProfiles,
  defaultProfile,
  schedulerName,
  schedulerNameOf,
  type Profile,
  type ProfileOptions,
} from "#scheduler/profiles.ts";
import { unplacedMessage, type CycleResult } from "#scheduler/scheduling-cycle.ts";
import { SchedulingQueue, type QueuedPod } from "#scheduler/scheduling-queue.ts";
import { tellPod } from "#scheduler/tell-pod.ts";
import { createStorage, type Storage } from "#scheduler/volumes/storage.ts";

export interface SchedulerParts {
  readonly client: Client;
  /** Over the same client; shared with whoever else reads in this process. */
  readonly informers: Informers;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** Default: one, for pods that ask for no other scheduler. */
  readonly profiles?: readonly ProfileOptions[];
}

/** Gives every pod that asks for one of its profiles a node. Starts once pods and nodes are known. */
export function createScheduler(parts: SchedulerParts): AsyncDisposable {
  return new Scheduler(parts);
}

/** Writes under way at most; the next pod waits. */
const writesMax = 128;
/** Pods placed before others in the process get their turn. */
const turnPods = 16;

type Unplaced = Extract<CycleResult, { kind: "unplaced" }>;

class Scheduler implements AsyncDisposable {
  readonly #parts: SchedulerParts;
  readonly #profiles: ReadonlyMap<string, Profile>;
  readonly #cluster = new ClusterState();
  readonly #storage: Storage;
  readonly #devices: DeviceInventory;
  readonly #queue: SchedulingQueue;
  readonly #recorder: EventRecorder;
  readonly #stop = new AbortController();
  readonly #listening: Disposable[] = [];
  /** Writes to the API server. */
  readonly #writes = new Set<Promise<void>>();
  readonly #running: Promise<void>;

  constructor(parts: SchedulerParts) {
    const { client, clock, informers, log, random, profiles = [defaultProfile] } = parts;
    const signal = this.#stop.signal;
    this.#parts = parts;
    this.#recorder = createEventRecorder({ client, clock, log, signal, component: schedulerName });
    this.#storage = createStorage(informers);
    this.#devices = new DeviceInventory(informers);
    const shared = { client, clock, informers, log, random, signal, recorder: this.#recorder };
    const own = { cluster: this.#cluster, storage: this.#storage, devices: this.#devices };
    const plugins = builtinPlugins({ ...shared, ...own });
    this.#profiles = createProfiles(plugins, profiles, random);
    const sort = plugins.find((plugin) => plugin.queueSort)?.queueSort;
    this.#queue = new SchedulingQueue({
      clock,
      before: sort ?? ((one, other) => one.sinceMs < other.sinceMs),
      heldBackBy: (pending) => this.#heldBackBy(pending),
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
    await Promise.allSettled(this.#writes);
  }

  #end(): void {
    this.#stop.abort();
    this.#queue.close();
    for (const listening of this.#listening.splice(0)) listening[Symbol.dispose]();
  }

  async #run(): Promise<void> {
    const podInformer = this.#parts.informers.of(pods);
    const nodeInformer = this.#parts.informers.of(nodes);
    const namespaceInformer = this.#parts.informers.of(namespaces);
    const budgetInformer = this.#parts.informers.of(podDisruptionBudgets);
    await Promise.all([podInformer.synced, nodeInformer.synced, namespaceInformer.synced]);
    await Promise.all([budgetInformer.synced, this.#storage.synced, this.#devices.synced]);
    if (this.#stop.signal.aborted) return;
    this.#listening.push(namespaceInformer.onChange((change) => this.#namespaceChanged(change)));
    this.#listening.push(nodeInformer.onChange((change) => this.#nodeChanged(change)));
    this.#listening.push(this.#devices.follow((event) => this.#queue.notify(event)));
    this.#listening.push(podInformer.onChange((change) => this.#podChanged(change)));
    this.#listening.push(this.#storage.onEvent((event) => this.#queue.notify(event)));
    let placedInTurn = 0;
    for (let queued = await this.#queue.take(); queued; queued = await this.#queue.take()) {
      this.#schedule(queued);
      if (this.#writes.size >= writesMax) await Promise.race(this.#writes);
      if (++placedInTurn % turnPods === 0) await sleep(this.#parts.clock, 0, this.#stop.signal);
    }
  }

  #schedule({ pending }: QueuedPod): void {
    const profile = this.#profiles.get(schedulerNameOf(pending.pod));
    if (profile === undefined) return this.#queue.remove(pending.placed.uid);
    const result = profile.cycle.run(pending, this.#cluster.nodes);
    if (result.kind === "unplaced") return this.#write(this.#fail(pending, profile, result));
    const { nodeName: node, state } = result;
    const refused = this.#reserve({ pending, profile, node, state });
    if (refused) {
      const rejectedBy = new Set([refused.by]);
      const failed = { kind: "unplaced" as const, rejectedBy, state, rejections: new Map() };
      return this.#write(this.#fail(pending, profile, { ...failed, whole: refused }));
    }
    this.#cluster.place(pending.placed, node);
    const chosen = { pending, profile, node, state };
    const prepared = this.#prepare(chosen);
    if (prepared === undefined) return this.#write(this.#bind(chosen));
    // May take minutes (volumes, groups); when the scheduler ends, nobody waits for it.
    void prepared.then(
      () => this.#write(this.#bind(chosen)),
      (error: unknown) => this.#write(this.#unbound(chosen, error)),
    );
  }

  #write(work: Promise<void>): void {
    const tracked = work.finally(() => this.#writes.delete(tracked));
    this.#writes.add(tracked);
  }

  #reserve(chosen: Chosen): (Rejection & { by: string }) | undefined {
    const { pending, profile, node, state } = chosen;
    const reserved: Plugin[] = [];
    for (const plugin of profile.plugins) {
      const rejection = plugin.reserve?.(pending, node, state);
      if (rejection) {
        for (const done of reserved.toReversed()) done.unreserve?.(pending, node);
        return { ...rejection, by: plugin.name };
      }
      reserved.push(plugin);
    }
    return undefined;
  }

  /** Most pods need nothing before they are bound. */
  #prepare({ pending, profile, node, state }: Chosen): Promise<void> | undefined {
    const { signal } = this.#stop;
    const permits = profile.plugins.flatMap(({ name, permit }) =>
      permit ? [() => permit(pending, node)?.then((answer) => refuse(name, answer))] : [],
    );
    const works = profile.plugins.flatMap(({ preBind }) =>
      preBind ? [() => preBind(pending, { nodeName: node, state, signal })] : [],
    );
    return inTurn([...permits, ...works]);
  }

  async #bind(chosen: Chosen): Promise<void> {
    const { pending, profile, node } = chosen;
    const { namespace, name } = pending.placed;
    try {
      for (const { bind } of profile.plugins) await bind?.(pending, node, this.#stop.signal);
      // The queue knows the pod until the informer shows it bound: a late change must not bring it back.
      this.#recorder.record(pending.pod, {
        type: "Normal",
        reason: "Scheduled",
        message: `Successfully assigned ${namespace}/${name} to ${node}`,
      });
    } catch (error) {
      await this.#unbound(chosen, error);
    }
  }

  async #unbound({ pending, profile, node }: Chosen, error: unknown): Promise<void> {
    const { name, uid } = pending.placed;
    if (this.#stop.signal.aborted) return;
    this.#takeBack(pending, profile, node);
    if (isNotFound(error)) return this.#queue.remove(uid);
    if (!isConflict(error)) this.#parts.log.warn("pod not bound", { pod: name, node, error });
    await this.#tell(pending, { reason: "SchedulerError", message: messageOf(error) }).catch(
      (problem: unknown) => this.#parts.log.warn("pod not told why", { pod: name, error: problem }),
    );
    this.#queue.giveBack(uid, new Set());
  }

  #takeBack(pending: PendingPod, profile: Profile, node: string): void {
    for (const plugin of profile.plugins.toReversed()) plugin.unreserve?.(pending, node);
    // The pod may have got there after all; then the informer has said so, or will.
    const known = this.#parts.informers.of(pods).get(pending.placed);
    if (known?.spec?.nodeName) return;
    const gone = this.#cluster.removePod(pending.placed.uid);
    if (gone) this.#queue.notify({ kind: "podGone", pod: gone });
  }

  async #fail(pending: PendingPod, profile: Profile, result: Unplaced): Promise<void> {
    const { signal } = this.#stop;
    const { uid } = pending.placed;
    const all = this.#cluster.nodes;
    // Given back first: what happens while the message is written may help already.
    this.#queue.giveBack(uid, all.length === 0 ? everyPlugin(profile.plugins) : result.rejectedBy);
    try {
      const said = all.length === 0 ? undefined : await this.#postFilter(pending, profile, result);
      const message = unplacedMessage(all.length, result, said);
      await this.#tell(pending, { reason: "Unschedulable", message });
    } catch (error) {
      if (signal.aborted || isNotFound(error)) return;
      this.#parts.log.warn("pod neither placed nor told", { pod: pending.placed.name, error });
    }
  }

  async #postFilter(
    pod: PendingPod,
    { plugins, cycle }: Profile,
    { state, rejections, whole }: Unplaced,
  ): Promise<string | undefined> {
    const { nodes } = this.#cluster;
    // Where a node was found, nobody has to leave one.
    if (whole && !whole.unresolvable) return undefined;
    const everywhere = whole && new Map(nodes.map(({ name }) => [name, whole]));
    const said: string[] = [];
    for (const { postFilter } of plugins) {
      const found = await postFilter?.({
        pod,
        state,
        rejections: everywhere ?? rejections,
        nodes,
        fits: (node) => cycle.fits(pod, node, state),
        signal: this.#stop.signal,
      });
      if (found !== undefined) said.push(found);
    }
    return said.length === 0 ? undefined : said.join(", ");
  }

  #tell(pending: PendingPod, said: { reason: string; message: string }): Promise<void> {
    const { client, clock } = this.#parts;
    const { signal } = this.#stop;
    return tellPod({ client, clock, signal, recorder: this.#recorder }, pending, said);
  }

  #heldBackBy(pending: PendingPod): string | undefined {
    const plugins = this.#profiles.get(schedulerNameOf(pending.pod))?.plugins ?? [];
    return plugins.find(({ preEnqueue }) => preEnqueue && !preEnqueue(pending))?.name;
  }

  #helps(event: ClusterEvent, { pending, rejectedBy }: QueuedPod): boolean {
    const plugins = this.#profiles.get(schedulerNameOf(pending.pod))?.plugins ?? [];
    return plugins.some(({ name, helpedBy }) => rejectedBy.has(name) && helpedBy?.(event, pending));
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
    else if (this.#isOurs(pod)) this.#podWaits(pod);
    else this.#forget(uid);
  }

  #podOnNode(pod: Pod): void {
    const uid = uidOf(pod);
    // What was assumed is news to those that wait only now that it is so.
    const before = this.#queue.has(uid) ? undefined : this.#cluster.placed(uid);
    this.#queue.remove(uid);
    const placed = this.#cluster.putPod(pod);
    if (before && requestsLess(placed.amounts, before.amounts)) {
      this.#queue.notify({ kind: "podShrank", pod: placed });
    }
    if (before?.shape.key === placed.shape.key) return;
    this.#queue.notify({ kind: "podPlaced", pod: placed });
  }

  #podWaits(pod: Pod): void {
    const placed = placedPod(pod);
    const nominated = pod.status?.nominatedNodeName;
    if (nominated && !this.#cluster.placed(placed.uid)) this.#cluster.nominate(placed, nominated);
    this.#queue.put({ pod, placed });
  }

  #isOurs(pod: Pod): boolean {
    if (pod.metadata.deletionTimestamp !== undefined) return false;
    return this.#profiles.has(schedulerNameOf(pod)) && !pod.spec?.schedulingGates?.length;
  }

  #forget(uid: string): void {
    this.#queue.remove(uid);
    this.#cluster.forgetNomination(uid);
  }
}

interface Chosen {
  readonly pending: PendingPod;
  readonly profile: Profile;
  readonly node: string;
  readonly state: CycleState;
}

/** Waits only from the first step on that does. */
function inTurn(steps: readonly (() => Promise<void> | undefined)[]): Promise<void> | undefined {
  for (const [index, step] of steps.entries()) {
    const waiting = step();
    if (waiting) return waiting.then(() => inTurn(steps.slice(index + 1)));
  }
  return undefined;
}

function refuse(name: string, rejection: Rejection | undefined): void {
  if (rejection) throw new Error(`Cannot bind: ${name}: ${rejection.reasons.join(", ")}`);
}

function everyPlugin(plugins: readonly Plugin[]): ReadonlySet<string> {
  return new Set(plugins.map(({ name }) => name));
}
