import { Metadata, status, type ServiceError } from "@grpc/grpc-js";
import { sleep, type Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { inRange } from "#storage/key.ts";
import type { EtcdConnection, EtcdStream } from "#storage/node/etcd/etcd-connection.ts";
import { failureOf, isAccessProblem, storeError } from "#storage/node/etcd/etcd-errors.ts";
import { etcdRevision, storeRevision } from "#storage/node/etcd/etcd-keys.ts";
import type { EtcdKeys } from "#storage/node/etcd/etcd-keys.ts";
import type { EtcdEvent, WatchAnswer } from "#storage/node/etcd/etcd-messages.ts";
import { CompactedError, FutureRevisionError, SlowWatcherError } from "#storage/store.ts";
import type { Range, StoreEvent } from "#storage/store.ts";

export interface EtcdWatchParts {
  readonly connection: EtcdConnection;
  readonly keys: EtcdKeys;
  readonly clock: Clock;
  readonly log: Log;
  readonly backlogMax: number;
  /** The newest revision, from a majority of the members. */
  readonly revision: () => Promise<number>;
}

export interface Watched {
  readonly range: Range;
  readonly fromRevision: number;
  readonly onProgress?: ((revision: number) => void) | undefined;
}

/**
 * One watch over everything below the prefix, of which the events of a range are handed on. It sees every write of
 * the store, so that its position is known; a broken stream is opened again from there. It asks for one revision more
 * than it needs: etcd then says for certain whether anything after its position was compacted.
 */
export class EtcdWatch {
  readonly #parts: EtcdWatchParts;
  readonly #watched: Watched;
  readonly #stop = new AbortController();
  readonly #queue: (readonly StoreEvent[] | number)[] = [];
  readonly #waiters = new Set<{ readonly revision: number; readonly resolve: () => void }>();
  /** Everything up to here is in the queue or was taken from it. */
  #position: number;
  /** Events up to here were there before the watch: a reader may take its time over them. */
  #replayEnd = 0;
  #liveCount = 0;
  #state: "open" | "ended" | "aborted" | Error = "open";
  #isConnected = true;
  #stream: EtcdStream | undefined;
  #wake: (() => void) | undefined;

  constructor(parts: EtcdWatchParts, watched: Watched) {
    this.#parts = parts;
    this.#watched = watched;
    this.#position = watched.fromRevision;
    void this.#follow();
  }

  get position(): number {
    return this.#position;
  }

  async *events(): AsyncGenerator<readonly StoreEvent[]> {
    for (;;) {
      const next = await this.#take();
      if (next === undefined) return;
      if (typeof next === "number") this.#watched.onProgress?.(next);
      else yield next;
    }
  }

  /** An end of the store leaves what has gathered to be read. */
  stop(state: "ended" | "aborted" | Error): void {
    if (this.#state !== "open") return;
    this.#state = state;
    if (state !== "ended") this.#queue.length = 0;
    this.#stop.abort();
    this.#stream?.cancel();
    this.#release();
    this.#wake?.();
  }

  /** Resolves when the revision is in the queue, or when that depends on the reader or on a broken connection. */
  reaches(revision: number): Promise<void> {
    if (this.#position >= revision || !this.#flows) return Promise.resolve();
    return new Promise((resolve) => this.#waiters.add({ revision, resolve }));
  }

  get #flows(): boolean {
    return this.#state === "open" && this.#isConnected && this.#stream?.isPaused() !== true;
  }

  async #take(): Promise<readonly StoreEvent[] | number | undefined> {
    if (this.#queue.length === 0 && this.#state === "open") {
      this.#stream?.resume();
      await new Promise<void>((resolve) => (this.#wake = resolve));
      this.#wake = undefined;
    }
    if (this.#state instanceof Error) throw this.#state;
    const next = this.#queue.shift();
    if (this.#queue.length === 0) this.#liveCount = 0;
    return next;
  }

  async #follow(): Promise<void> {
    const { clock, log } = this.#parts;
    const { signal } = this.#stop;
    for (let failures = 0; !signal.aborted; failures += 1) {
      const before = this.#position;
      const problem = await this.#followOnce();
      if (signal.aborted) return;
      this.#isConnected = false;
      this.#release();
      if (isFinal(problem)) return this.stop(storeError("watch the store", problem));
      if (this.#position > before) failures = 0;
      if (failures === 0) {
        const error = storeError("watch the store", problem);
        log.warn("watch of etcd broke and begins again", { revision: this.#position, error });
      }
      const delayMs = Math.min(reconnectMaxMs, reconnectMinMs * 2 ** failures);
      await sleep(clock, delayMs, signal).catch(() => {});
    }
  }

  /** Resolves to why the stream is at its end. */
  #followOnce(): Promise<ServiceError> {
    const { stream, failed } = this.#parts.connection.openWatch();
    this.#stream = stream;
    return new Promise((resolve) => {
      const end = (problem: ServiceError): void => {
        failed();
        stream.removeAllListeners();
        stream.on("error", () => {});
        stream.cancel();
        resolve(problem);
      };
      stream.on("error", end);
      stream.on("end", () => end(problemOf("the connection was closed")));
      stream.on("data", (answer: WatchAnswer) => {
        const problem = this.#receive(answer);
        if (problem !== undefined) end(problem);
      });
      stream.write({
        create: {
          ...this.#parts.keys.everything,
          startRevision: etcdRevision(this.#position),
          prevKv: true,
        },
      });
    });
  }

  #receive(answer: WatchAnswer): ServiceError | undefined {
    if (answer.compactRevision > 0) {
      this.stop(new CompactedError(storeRevision(answer.compactRevision)));
      return problemOf("compacted");
    }
    if (answer.canceled) return problemOf(answer.cancelReason);
    if (answer.created) this.#created(storeRevision(answer.header.revision));
    if (answer.events.length > 0) this.#add(answer.events);
    return undefined;
  }

  #created(revision: number): void {
    this.#isConnected = true;
    this.#replayEnd = Math.max(this.#replayEnd, revision);
    if (revision < this.#position) void this.#checkFuture();
  }

  /** The member may be behind the others; only a majority knows what lies ahead. */
  async #checkFuture(): Promise<void> {
    try {
      const newest = await this.#parts.revision();
      if (newest < this.#position) this.stop(new FutureRevisionError(this.#position, newest));
    } catch {
      // The stream will break as well, and the check is made again with the next one.
    }
  }

  #add(received: readonly EtcdEvent[]): void {
    const before = this.#position;
    const events: StoreEvent[] = [];
    for (const event of received) {
      const revision = storeRevision(event.kv.modRevision);
      if (revision <= before) continue;
      this.#position = revision;
      const key = this.#parts.keys.keyOf(event.kv.key);
      if (key === undefined || !inRange(this.#watched.range, key)) continue;
      if (revision > this.#replayEnd) this.#liveCount += 1;
      events.push(this.#eventOf(event, key, revision));
    }
    if (events.length > 0) this.#queue.push(events);
    if ((events.at(-1)?.revision ?? 0) < this.#position) this.#progressed();
    if (this.#liveCount > this.#parts.backlogMax) {
      this.stop(slowError(this.#parts.backlogMax));
    } else if (this.#liveCount === 0 && this.#queue.length > replayQueueMax) this.#stream?.pause();
    this.#release();
    this.#wake?.();
  }

  #progressed(): void {
    if (typeof this.#queue.at(-1) === "number") this.#queue.pop();
    this.#queue.push(this.#position);
  }

  #eventOf(event: EtcdEvent, key: string, revision: number): StoreEvent {
    const { prevKv } = event;
    const previous = prevKv === null ? undefined : this.#parts.keys.entry(prevKv);
    if (event.type === 0) return { kind: "put", key, value: event.kv.value, previous, revision };
    // What was deleted is unknown only when it was compacted in this very moment.
    const unknown = { key, value: new Uint8Array(), revision: 0 };
    return { kind: "delete", key, previous: previous ?? unknown, revision };
  }

  #release(): void {
    for (const waiter of this.#waiters) {
      if (this.#flows && waiter.revision > this.#position) continue;
      this.#waiters.delete(waiter);
      waiter.resolve();
    }
  }
}

/** How many answers of etcd (each of at most 1,000 revisions) wait for a reader that is still catching up. */
const replayQueueMax = 4;
const reconnectMinMs = 50;
const reconnectMaxMs = 1_000;

function isFinal(problem: ServiceError): boolean {
  return isAccessProblem(problem) || failureOf(problem) === "final";
}

/** What etcd says in an answer, in the shape of a failed call; a watch that etcd cancels is opened again. */
function problemOf(details: string): ServiceError {
  const error = new Error(details);
  return Object.assign(error, { code: status.UNAVAILABLE, details, metadata: new Metadata() });
}

function slowError(max: number): SlowWatcherError {
  return new SlowWatcherError(`Cannot watch on: more than ${max} events wait to be read`);
}
