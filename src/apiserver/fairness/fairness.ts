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
  flowLabels,
  type FairnessMetrics,
} from "#apiserver/fairness/fairness-metrics.ts";
import type { Rejection } from "#apiserver/fairness/priority-level.ts";
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
  readonly #retryAfter = new RetryAfter();
  readonly #watching: Disposable[];

  constructor({ cache, clock, metrics, seats = serverSeats }: FairnessParts) {
    this.#clock = clock;
    this.configuration = new Configuration({ cache, clock, seats });
    this.#metrics = createFairnessMetrics(metrics, this.configuration);
    this.#borrowing = new Borrowing({ configuration: this.configuration, clock, seats });
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
    const nowMs = this.#clock.now();
    if (level.fits(seats)) return this.#admitted(flow, seats, nowMs);
    this.#borrowing.needed();
    return this.#wait(arrival, flow, seats);
  }

  [Symbol.dispose](): void {
    this.#borrowing[Symbol.dispose]();
    for (const watching of this.#watching) watching[Symbol.dispose]();
  }

  #admitted(flow: Flow, seats: number, nowMs: number, queue?: FairQueue): Admitted {
    const { level } = flow;
    level.begin(seats, nowMs);
    flow.dispatched += 1;
    return {
      flow,
      leave: () => {
        const endMs = this.#clock.now();
        if (queue !== undefined) level.finished(queue, seats, (endMs - nowMs) / 1_000);
        level.end(seats, endMs);
      },
    };
  }

  #wait({ user, info, request: waiter }: Arrival, flow: Flow, seats: number): Promise<Admitted> {
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
        resolve(this.#admitted(flow, seats, this.#clock.now(), queue));
      },
    };
    const onAbort = (): void => giveUp("cancelled");
    const entered = level.enqueue(`${flow.name},${distinguisher}`, request);
    if (typeof entered === "string") throw this.#refused(flow, entered);
    const place: FairQueue | undefined = entered;
    const cancelTimer = this.#clock.after(waitMaxMs, () => giveUp("time-out"));
    signal.addEventListener("abort", onAbort, { once: true });
    this.#metrics.queueLengths.observe(flowLabels(flow), FairQueues.lengthOf(entered));
    level.dispatch(arrivedMs);
    if (signal.aborted) onAbort();
    return promise;
  }

  #refused(flow: Flow, why: Rejection): TooManyRequests {
    flow.level.refused[why] += 1;
    this.#metrics.rejected.add({ ...flowLabels(flow), reason: why });
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
