import type { Lease, Node, NodeCondition } from "#api/generated/types.ts";
import { uidOf } from "#api/meta.ts";
import { leases, nodes } from "#api/resources.ts";
import { isAlreadyExists, isNotFound } from "#api/status.ts";
import { type Clock, rfc3339Micro, sleep } from "#base/clock.ts";
import { type Log, messageOf } from "#base/log.ts";
import type { Client } from "#client/client.ts";
import type { Pressure } from "#agent/eviction/thresholds.ts";
import {
  conditionEvent,
  nodeObject,
  type NodeParts,
  nodeReference,
  nodeStatus,
} from "#agent/node/node-object.ts";
import type { EventRecorder } from "#reconcile/event-recorder.ts";
import type { ContainerRuntime, ImageInfo } from "#agent/runtime/container-runtime.ts";

export interface NodeKeeperParts extends NodeParts {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly runtime: ContainerRuntime;
  readonly recorder: EventRecorder;
}

const leaseSeconds = 40;
const renewMs = 10_000;
const statusMs = 5 * 60_000;
const retryMs = 1000;

/** Keeps the node's object and lease in the API: the lease every 10 s, the status every 5 minutes or on change. */
export class NodeKeeper implements Disposable {
  readonly #parts: NodeKeeperParts;
  readonly #ending = new AbortController();
  #node: Node | undefined;
  #lease: Lease | undefined;
  #notReady: string | undefined;
  #pressures: ReadonlySet<Pressure> = new Set();
  #told = "";

  constructor(parts: NodeKeeperParts) {
    this.#parts = parts;
  }

  /** Registers the node and says that it is ready; goes on in the background. */
  async start(): Promise<void> {
    await this.#register();
    await this.#renew();
    void this.#every(renewMs, () => this.#renew());
    void this.#every(statusMs, () => this.#report(true));
  }

  /** The uid of the node's object. */
  get uid(): string | undefined {
    return this.#node?.metadata.uid;
  }

  /** The node's object as it was last seen here: others may have changed it since. */
  get node(): Node {
    return this.#node ?? nodeObject(this.#parts);
  }

  /** Asks the API for the node's object. */
  async refresh(): Promise<Node> {
    const { client, name } = this.#parts;
    this.#node = await client.get(nodes, { name }, { signal: this.#ending.signal });
    return this.#node;
  }

  /** Why no pods can run; undefined while they can. */
  get problem(): string | undefined {
    return this.#notReady;
  }

  /** Tells why no pods can run, or that they can again. */
  setReady(notReady: string | undefined): void {
    if (this.#notReady === notReady) return;
    this.#notReady = notReady;
    this.#try(() => this.#report(false));
  }

  setPressures(pressures: ReadonlySet<Pressure>): void {
    this.#pressures = pressures;
    this.#try(() => this.#report(false));
  }

  /** To be called when plugins have other devices than before. */
  devicesChanged(): void {
    this.#try(() => this.#report(false));
  }

  /** To be called when images came or went. */
  imagesChanged(): void {
    this.#try(() => this.#report(false));
  }

  [Symbol.dispose](): void {
    this.#ending.abort(new Error("the node agent stops"));
  }

  async #register(): Promise<void> {
    const { client } = this.#parts;
    const wanted = nodeObject(this.#parts);
    const status = await this.#status();
    try {
      this.#node = await client.create(nodes, { ...wanted, status });
      // The API may keep a status only from its own path.
      if (!this.#node.status?.conditions?.length) await this.#report(true);
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const value = { metadata: { labels: wanted.metadata.labels } };
      const at = { name: this.#parts.name };
      this.#node = await client.patch(nodes, at, { kind: "merge", value });
      await this.#report(true);
    }
  }

  async #report(always: boolean): Promise<void> {
    const { client, name } = this.#parts;
    const status = await this.#status();
    const how = [this.#notReady ?? "", ...this.#pressures];
    const text = JSON.stringify({ ...status, conditions: how });
    if (!always && text === this.#told) return;
    try {
      const options = { subresource: "status", signal: this.#ending.signal };
      const patch = { kind: "merge", value: { status } } as const;
      const before = this.#node?.status?.conditions ?? [];
      this.#node = await client.patch(nodes, { name }, patch, options);
      this.#told = text;
      this.#tellChanges(before, status.conditions ?? []);
    } catch (error) {
      if (!isNotFound(error)) throw error;
      this.#told = "";
      await this.#register();
    }
  }

  #tellChanges(before: readonly NodeCondition[], now: readonly NodeCondition[]): void {
    const { name, recorder } = this.#parts;
    for (const condition of now) {
      const old = before.find(({ type }) => type === condition.type);
      if (old === undefined || old.status === condition.status) continue;
      const reason = conditionEvent(condition);
      const message = `Node ${name} status is now: ${reason}`;
      recorder.record(nodeReference(name), { type: "Normal", reason, message });
    }
  }

  async #status(): Promise<NonNullable<Node["status"]>> {
    const { clock, runtime } = this.#parts;
    const old = this.#node?.status?.conditions ?? [];
    const images: readonly ImageInfo[] = await runtime.listImages().catch(() => []);
    const notReady = this.#notReady;
    return nodeStatus(this.#parts, {
      nowMs: clock.now(),
      images,
      old,
      pressures: this.#pressures,
      ...(notReady !== undefined && { notReady }),
    });
  }

  async #renew(): Promise<void> {
    const { client, name, clock } = this.#parts;
    const renewTime = rfc3339Micro(clock.now());
    const spec = { holderIdentity: name, leaseDurationSeconds: leaseSeconds, renewTime };
    const at = { namespace: "kube-node-lease", name };
    const { signal } = this.#ending;
    try {
      if (this.#lease) {
        const patch = { kind: "merge", value: { spec } } as const;
        this.#lease = await client.patch(leases, at, patch, { signal });
        return;
      }
    } catch (error) {
      if (!isNotFound(error)) throw error;
    }
    const owner = this.#node && {
      ownerReferences: [{ apiVersion: "v1", kind: "Node", name, uid: uidOf(this.#node) }],
    };
    const lease: Lease = {
      apiVersion: "coordination.k8s.io/v1",
      kind: "Lease",
      metadata: { ...at, ...owner },
      spec,
    };
    try {
      this.#lease = await client.create(leases, lease, { signal });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
      const patch = { kind: "merge", value: { spec } } as const;
      this.#lease = await client.patch(leases, at, patch, { signal });
    }
  }

  async #every(periodMs: number, work: () => Promise<void>): Promise<void> {
    const { signal } = this.#ending;
    let delayMs = periodMs;
    while (!signal.aborted) {
      try {
        await sleep(this.#parts.clock, delayMs, signal);
        await work();
        delayMs = periodMs;
      } catch (error) {
        if (signal.aborted) return;
        this.#parts.log.warn("node not kept up to date", { reason: messageOf(error) });
        delayMs = retryMs;
      }
    }
  }

  #try(work: () => Promise<void>): void {
    work().catch((error: unknown) => {
      if (this.#ending.signal.aborted) return;
      this.#parts.log.warn("node status not written", { reason: messageOf(error) });
    });
  }
}
