import type { PriorityLevelConfiguration } from "#api/generated/types.ts";
import { sameJson } from "#apiserver/objects/json.ts";
import {
  FairQueues,
  type Dispatched,
  type FairQueue,
  type QueueSettings,
  type Waiting,
} from "#apiserver/fairness/fair-queues.ts";
import { LevelUtilization } from "#apiserver/fairness/level-utilization.ts";
import { SeatDemand } from "#apiserver/fairness/seat-demand.ts";

export type Rejection = "queue-full" | "concurrency-limit" | "time-out" | "cancelled";

/** What a priority level is set to, read from its object. */
export interface LevelSettings {
  readonly exempt: boolean;
  readonly shares: number;
  readonly lendablePercent: number;
  /** Absent: as much as there is. */
  readonly borrowingLimitPercent: number | undefined;
  /** Absent: what does not fit is refused. */
  readonly queues: QueueSettings | undefined;
}

export function levelSettings({ spec }: PriorityLevelConfiguration): LevelSettings {
  const exempt = spec?.type === "Exempt";
  const common = exempt ? spec.exempt : spec?.limited;
  const response = spec?.limited?.limitResponse;
  const { queues = 64, handSize = 8, queueLengthLimit = 50 } = response?.queuing ?? {};
  return {
    exempt,
    shares: common?.nominalConcurrencyShares ?? (exempt ? 0 : 30),
    lendablePercent: common?.lendablePercent ?? 0,
    borrowingLimitPercent: exempt ? undefined : spec?.limited?.borrowingLimitPercent,
    queues:
      !exempt && response?.type === "Queue"
        ? { queues: Math.min(queues, queuesMax), handSize, lengthMax: queueLengthLimit }
        : undefined,
  };
}

/** More are never useful here, and each costs a walk. */
const queuesMax = 1_024;

/** The seats of one priority level, who has them and who waits for them. */
export class PriorityLevel {
  readonly name: string;
  readonly demand: SeatDemand;
  readonly utilization: LevelUtilization;
  uid = "";
  settings: LevelSettings;
  nominal = 0;
  lower = 0;
  upper = 0;
  /** How many seats it may use now. */
  current = 0;
  target = 0;
  /** What is used is measured by this where it has no seats of its own. */
  measureMin = 1;
  executing = 0;
  seatsInUse = 0;
  dispatched = 0;
  readonly refused: Record<Rejection, number> = {
    "queue-full": 0,
    "concurrency-limit": 0,
    "time-out": 0,
    cancelled: 0,
  };
  #queues: FairQueues | undefined;

  constructor(name: string, settings: LevelSettings, nowMs: number) {
    this.name = name;
    this.settings = settings;
    this.demand = new SeatDemand(nowMs);
    this.utilization = new LevelUtilization(nowMs);
    this.#queues = settings.queues && new FairQueues(settings.queues, nowMs);
  }

  /** What waits in queues that are no longer asked for goes on waiting in the same way. */
  configure(settings: LevelSettings, nowMs: number): void {
    const before = this.settings;
    this.settings = settings;
    if (sameJson(before.queues, settings.queues) || this.waiting > 0) return;
    this.#queues = settings.queues && new FairQueues(settings.queues, nowMs);
  }

  get queues(): readonly FairQueue[] {
    return this.#queues?.all ?? [];
  }

  /** The time of its queues, if it has any. */
  get time(): number | undefined {
    return this.#queues?.time;
  }

  get lastDispatched(): Dispatched | undefined {
    return this.#queues?.lastDispatched;
  }

  get measure(): number {
    return this.current > 0 ? this.current : this.measureMin;
  }

  /** How many requests may wait; at least one, so that there is always a part of it. */
  get waitingMax(): number {
    const { queues } = this.settings;
    return queues ? Math.max(1, queues.lengthMax) * Math.max(1, queues.queues) : 1;
  }

  get waiting(): number {
    return this.#queues?.waiting ?? 0;
  }

  /** The most seats that one request may take. */
  get seatsMax(): number {
    const { queues } = this.settings;
    const byHand = queues ? this.nominal / queues.handSize : this.nominal;
    return Math.max(1, Math.floor(Math.min(widestShare * this.nominal, byHand)));
  }

  /** Whether a request may begin at once: nobody waits, and there is room. */
  fits(seats: number): boolean {
    if (this.settings.exempt) return true;
    if (this.waiting > 0) return false;
    // One that is wider than all there is goes alone.
    return this.seatsInUse === 0 ? this.current > 0 : this.seatsInUse + seats <= this.current;
  }

  /** Notes how it was used until now: before every change. */
  measureUntil(nowMs: number): void {
    this.utilization.until(nowMs, this);
  }

  begin(seats: number, nowMs: number): void {
    this.measureUntil(nowMs);
    this.dispatched += 1;
    this.executing += 1;
    this.seatsInUse += seats;
    this.demand.change(seats, nowMs);
  }

  end(seats: number, nowMs: number): void {
    this.measureUntil(nowMs);
    this.executing -= 1;
    this.seatsInUse -= seats;
    this.demand.change(-seats, nowMs);
    if (this.waiting > 0) this.dispatch(nowMs);
  }

  enqueue(flow: string, request: Waiting): FairQueue | Rejection {
    if (this.#queues === undefined) return "concurrency-limit";
    this.measureUntil(request.arrivedMs);
    const queue = this.#queues.enqueue(flow, request, this.current);
    if (queue === undefined) return "queue-full";
    this.demand.change(request.seats, request.arrivedMs);
    return queue;
  }

  withdraw(queue: FairQueue, request: Waiting, nowMs: number): boolean {
    this.measureUntil(nowMs);
    const waited = this.#queues?.withdraw(queue, request) ?? false;
    if (waited) this.demand.change(-request.seats, nowMs);
    return waited;
  }

  finished(queue: FairQueue, seats: number, seconds: number): void {
    this.#queues?.finished(queue, seats, seconds);
  }

  /** Lets in whose turn it is, as long as there is room. */
  dispatch(nowMs: number): void {
    this.measureUntil(nowMs);
    for (;;) {
      const free = this.current - this.seatsInUse;
      const goesAlone = this.seatsInUse === 0 && this.current > 0;
      const room = goesAlone ? Number.MAX_SAFE_INTEGER : free;
      const request = this.#queues?.next(room, nowMs, this.current);
      if (request === undefined) return;
      // What waited is wanted still; `begin` counts it again.
      this.demand.change(-request.seats, nowMs);
    }
  }
}

/** As upstream: no request takes more than this part of its level. */
const widestShare = 0.15;
