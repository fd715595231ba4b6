import type { Clock } from "#base/clock.ts";
import type { MetricsRegistry } from "#base/metrics.ts";
import type { StoreCache } from "#apiserver/cache/store-cache.ts";
import { Borrowing } from "#apiserver/fairness/borrowing.ts";
import {
  Configuration,
  levelsPrefix,
  schemasPrefix,
  type Flow,
} from "#apiserver/fairness/configuration.ts";
import { FairQueues, type FairQueue, type Waiting } from "#apiserver/fairness/fair-queues.ts";
import {
  createFairnessMetrics,
  type FairnessMetrics,
} from "#apiserver/fairness/fairness-metrics.ts";
import { flowLabels } from "#apiserver/fairness/observed-metrics.ts";
import type { Rejection } from "#apiserver/fairness/priority-level.ts";
import {
  ReadsAndWrites,
  requestKind,
  type RequestKind,
} from "#apiserver/fairness/reads-and-writes.ts";
import { RetryAfter } from "#apiserver/fairness/retry-after.ts";
import type { ApiRequest, UserInfo } from "#apiserver/request.ts";
import type { RequestInfo } from "#apiserver/request-info.ts";

/** Upstream's defaults of `--max-requests-inflight` and `--max-mutating-requests-inflight` together. */
export const serverSeats = 600;
/** A quarter of the minute that a request may take. */
const waitMaxMs = 15_000;

export interface FairnessParts {
  readonly cache: StoreCache;
  readonly clock: Clock;
  readonly metrics: MetricsRegistry;
  /** Default: `serverSeats`. */
  readonly seats?: number;
}

export interface Arrival {
  readonly user: UserInfo;
  readonly info: RequestInfo;
  readonly seats: number;
  /** Asked for only when the request has to wait. */
  readonly request: Pick<ApiRequest, "signal">;
}

/** A request that is classified. */
interface Entering {
  readonly flow: Flow;
  readonly seats: number;
  readonly kind: RequestKind;
  readonly isWatch: boolean;
}

/** A request that was let in. `leave` is called once, when it is answered. */
export interface Admitted {
  readonly flow: Flow;
  leave(): void;
}

/** A request that was not let in. */
export class TooManyRequests extends Error {
  override readonly name = "TooManyRequests";
  readonly flow: Flow;
  readonly retryAfterSeconds: number;

  constructor(flow: Flow, rejection: Rejection, retryAfterSeconds: number) {
    super(`refused: ${rejection}`);
    this.flow = flow;
    this.retryAfterSeconds = retryAfterSeconds;
  }
}

/** Priority and fairness: who is let in at once, who waits for whom, and who is told to come back later. */
export class Fairness implements Disposable {
  readonly configuration: Configuration;
  readonly #clock: Clock;
  readonly #metrics: FairnessMetrics;
  readonly #borrowing: Borrowing;
  readonly #readsAndWrites: ReadsAndWrites;
  readonly #retryAfter = new RetryAfter();
  readonly #watching: Disposable[];

  constructor({ cache, clock, metrics, seats = serverSeats }: FairnessParts) {
    this.#clock = clock;
    this.configuration = new Configuration({ cache, clock, seats });
    const { configuration } = this;
    this.#borrowing = new Borrowing({ configuration, clock, seats });
    this.#readsAndWrites = new ReadsAndWrites(() => configuration.limits(), clock.now());
    this.#metrics = createFairnessMetrics(metrics, {
      configuration,
      clock,
      borrowing: this.#borrowing,
      readsAndWrites: this.#readsAndWrites,
    });
    this.#watching = [schemasPrefix, levelsPrefix].map((prefix) =>
      cache.resource(prefix).watch({ prefix, onChange: () => this.configuration.changed() }),
    );
  }

  /** Throws `TooManyRequests`, or rejects with it after a wait. */
  enter(arrival: Arrival): Admitted | Promise<Admitted> {
    const flow = this.configuration.flowOf(arrival.user, arrival.info);
    if (flow === undefined) throw new Error("there is no flow schema");
    const { level } = flow;
    const seats = Math.min(arrival.seats, level.seatsMax);
    this.#metrics.arrived(flow, seats);
    const kind = requestKind(arrival.info.verb);
    const entering = { flow, seats, kind, isWatch: arrival.info.verb === "watch" };
    if (level.fits(seats)) return this.#admitted(entering, this.#clock.now());
    this.#borrowing.needed();
    return this.#wait(arrival, entering);
  }

  [Symbol.dispose](): void {
    this.#borrowing[Symbol.dispose]();
    for (const watching of this.#watching) watching[Symbol.dispose]();
  }

  #admitted(entering: Entering, nowMs: number, queue?: FairQueue): Admitted {
    const { flow, seats, kind } = entering;
    const { level, counts } = flow;
    level.begin(seats, nowMs);
    counts.dispatched += 1;
    counts.executing += 1;
    counts.seatsInUse += seats;
    this.#readsAndWrites.change({ phase: "executing", kind }, 1, nowMs);
    return {
      flow,
      leave: () => {
        const endMs = this.#clock.now();
        if (queue !== undefined) level.finished(queue, seats, (endMs - nowMs) / 1_000);
        counts.executing -= 1;
        counts.seatsInUse -= seats;
        this.#readsAndWrites.change({ phase: "executing", kind }, -1, endMs);
        this.#metrics.executed(flow, entering.isWatch, (endMs - nowMs) / 1_000);
        level.end(seats, endMs);
      },
    };
  }

  #wait({ user, info, request: waiter }: Arrival, entering: Entering): Promise<Admitted> {
    const { flow, seats } = entering;
    const { level } = flow;
    const { signal } = waiter;
    const { promise, resolve, reject } = Promise.withResolvers<Admitted>();
    const arrivedMs = this.#clock.now();
    const giveUp = (why: Rejection): void => {
      if (place === undefined || !level.withdraw(place, request, this.#clock.now())) return;
      settle(false);
      reject(this.#refused(flow, why));
    };
    const settle = (executes: boolean): void => {
      cancelTimer();
      signal.removeEventListener("abort", onAbort);
      this.#waits(entering, -1);
      const seconds = (this.#clock.now() - arrivedMs) / 1_000;
      this.#metrics.waited.observe({ ...flowLabels(flow), execute: String(executes) }, seconds);
    };
    const distinguisher = distinguisherOf(flow, user, info);
    const request: Waiting = {
      arrival: { user, info },
      flow: { schema: flow.name, distinguisher },
      seats,
      arrivedMs,
      start: (queue) => {
        settle(true);
        resolve(this.#admitted(entering, this.#clock.now(), queue));
      },
      noRoom: () => this.#metrics.noRoom.add(flowLabels(flow)),
    };
    const onAbort = (): void => giveUp("cancelled");
    const entered = level.enqueue(`${flow.name},${distinguisher}`, request);
    if (typeof entered === "string") throw this.#refused(flow, entered);
    const place: FairQueue | undefined = entered;
    this.#waits(entering, 1);
    const cancelTimer = this.#clock.after(waitMaxMs, () => giveUp("time-out"));
    signal.addEventListener("abort", onAbort, { once: true });
    this.#metrics.queueLengths.observe(flowLabels(flow), FairQueues.lengthOf(entered));
    level.dispatch(arrivedMs);
    if (signal.aborted) onAbort();
    return promise;
  }

  #waits({ flow, seats, kind }: Entering, by: 1 | -1): void {
    flow.counts.waiting += by;
    flow.counts.seatsWaiting += by * seats;
    this.#readsAndWrites.change({ phase: "waiting", kind }, by, this.#clock.now());
  }

  #refused(flow: Flow, why: Rejection): TooManyRequests {
    flow.level.refused[why] += 1;
    // Upstream's metric does not tell whether it was the client who gave up.
    const reason = why === "cancelled" ? "time-out" : why;
    this.#metrics.rejected.add({ ...flowLabels(flow), reason });
    const seconds = this.#retryAfter.dropped(flow.level.name, this.#clock.now());
    return new TooManyRequests(flow, why, seconds);
  }
}

/** What tells the flows of a schema apart. */
function distinguisherOf({ schema }: Flow, user: UserInfo, info: RequestInfo): string {
  switch (schema.spec?.distinguisherMethod?.type) {
    case "ByUser":
      return user.name;
    case "ByNamespace":
      return info.namespace;
    default:
      return "";
  }
}
