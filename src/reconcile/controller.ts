import type { KubeObject } from "#api/meta.ts";
import { isConflict, isNotFound } from "#api/status.ts";
import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Change, Informer } from "#client/informer.ts";
import { assertOneWriter, type Write } from "#reconcile/ownership.ts";
import type { QueueMetrics } from "#reconcile/queue-metrics.ts";
import { createWorkQueue, type WorkQueue } from "#reconcile/work-queue.ts";

/** Something that drives the cluster towards what is wanted, one key at a time. */
export interface Controller {
  readonly name: string;
  /** Resources read, as `replicasets.apps`: for the table in the documentation. */
  readonly reads: readonly string[];
  readonly writes: readonly Write[];
  /** Measures its queue from its start on. */
  measure?(metrics: QueueMetrics): void;
  /** Begins to work; what it reads must be synced. */
  start(): void;
  /** Stops taking keys, cancels what runs and waits for it. */
  stop(): Promise<void>;
  /** Resolves when everything it reads has been listed once. */
  synced(): Promise<void>;
}

export interface ControllerParts {
  readonly name: string;
  readonly reads: readonly string[];
  readonly writes: readonly Write[];
  readonly sources: readonly Source[];
  /**
   * Brings the world nearer to what is wanted for this key; must be safe to run twice, late and after a crash. An
   * error makes it run again after a back-off; `requeue` asks for a later run.
   */
  reconcile(key: string, run: Run): Promise<void>;
  /** Keys worked on at the same time. */
  readonly concurrency?: number;
  readonly clock: Clock;
  readonly log: Log;
}

export interface Run {
  readonly signal: AbortSignal;
  /** Runs this key, or another, again after the time. */
  requeue(delayMs: number, key?: string): void;
  /**
   * Lets the key rest after this run, the longer the more objects it looks at, so that the changes of many are taken
   * together: with 10,000 pods starting, their owner need not count them at each one.
   */
  rest(objectCount: number): void;
}

/** Where keys come from. */
export interface Source {
  readonly synced: Promise<void>;
  listen(queue: WorkQueue): Disposable;
}

/** Queues the keys that a change of the informer's resource concerns. */
export function keysFrom<T extends KubeObject>(
  informer: Informer<T>,
  keysOf: (change: Change<T>, queue: WorkQueue) => Iterable<string>,
): Source {
  return {
    synced: informer.synced,
    listen: (queue) =>
      informer.onChange((change) => {
        for (const key of keysOf(change, queue)) queue.add(key);
      }),
  };
}

export function createController(parts: ControllerParts): Controller {
  return new QueueController(parts);
}

/**
 * Starts controllers once all they read is synced. Refuses two writers of the same fields. Disposing stops all and
 * waits for what is under way.
 */
export function startControllers(
  controllers: readonly Controller[],
  { signal, log, metrics }: Running,
): AsyncDisposable {
  assertOneWriter(controllers);
  if (metrics !== undefined) for (const controller of controllers) controller.measure?.(metrics);
  let stopped = false;
  const stop = async (): Promise<void> => {
    stopped = true;
    await Promise.all(controllers.map((controller) => controller.stop()));
  };
  for (const controller of controllers) {
    controller.synced().then(
      () => {
        if (!stopped && !signal.aborted) controller.start();
      },
      (error: unknown) => {
        if (!signal.aborted) log.error("controller not started", { name: controller.name, error });
      },
    );
  }
  signal.addEventListener("abort", () => void stop(), { once: true });
  return { [Symbol.asyncDispose]: stop };
}

interface Running {
  readonly signal: AbortSignal;
  readonly log: Log;
  readonly metrics?: QueueMetrics;
}

const defaultConcurrency = 5;

/** Who asks for the same key at once, again and again, must let others have their turn. */
const againMinMs = 5;
const restMaxMs = 200;
const objectsPerRestMs = 20;

/** Owners of few objects never rest. */
function restFor(objectCount: number): number {
  return Math.min(Math.floor(objectCount / objectsPerRestMs), restMaxMs);
}

class QueueController implements Controller {
  readonly name: string;
  readonly reads: readonly string[];
  readonly writes: readonly Write[];
  readonly #parts: ControllerParts;
  readonly #queue: WorkQueue;
  readonly #stop = new AbortController();
  readonly #listening: Disposable[] = [];
  #workers: readonly Promise<void>[] = [];

  constructor(parts: ControllerParts) {
    this.name = parts.name;
    this.reads = parts.reads;
    this.writes = parts.writes;
    this.#parts = parts;
    this.#queue = createWorkQueue(parts.clock);
  }

  measure(metrics: QueueMetrics): void {
    this.#queue.measure(metrics.of(this.name));
  }

  async synced(): Promise<void> {
    await Promise.all(this.#parts.sources.map((source) => source.synced));
  }

  start(): void {
    for (const source of this.#parts.sources) this.#listening.push(source.listen(this.#queue));
    this.#workers = Array.from({ length: this.#parts.concurrency ?? defaultConcurrency }, () =>
      this.#work(),
    );
  }

  async stop(): Promise<void> {
    for (const listening of this.#listening.splice(0)) listening[Symbol.dispose]();
    this.#queue.close();
    this.#stop.abort();
    await Promise.all(this.#workers);
  }

  async #work(): Promise<void> {
    for (let key = await this.#queue.take(); key !== undefined; key = await this.#queue.take()) {
      this.#queue.done(key, await this.#reconcile(key));
    }
  }

  /** Returns how long the key is to rest. */
  async #reconcile(key: string): Promise<number> {
    const { signal } = this.#stop;
    let restMs = 0;
    const requeue: Run["requeue"] = (delayMs, other) =>
      this.#queue.addAfter(
        other ?? key,
        other === undefined ? Math.max(delayMs, againMinMs) : delayMs,
      );
    try {
      const rest = (objectCount: number): void => void (restMs = restFor(objectCount));
      await this.#parts.reconcile(key, { signal, requeue, rest });
      this.#queue.forget(key);
    } catch (error) {
      if (signal.aborted) return 0;
      this.#report(key, error);
      this.#queue.addRateLimited(key);
    }
    return restMs;
  }

  /** Losing a race is everyday life; anything else is worth a line. */
  #report(key: string, error: unknown): void {
    const everyday = isConflict(error) || isNotFound(error);
    const fields = { name: this.name, key, error };
    if (everyday) this.#parts.log.debug("reconcile will be tried again", fields);
    else this.#parts.log.warn("reconcile failed", fields);
  }
}
