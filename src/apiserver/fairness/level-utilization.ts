import { ratioBounds, TimedRatio } from "#apiserver/fairness/timed-ratio.ts";

/** What a level's utilization is worked out from. */
interface Used {
  readonly executing: number;
  readonly seatsInUse: number;
  readonly waiting: number;
  readonly waitingMax: number;
  /** Seats that the others are a part of. */
  readonly measure: number;
  readonly demand: { readonly seats: number };
}

/** How much of a priority level was used, over time. */
export class LevelUtilization {
  readonly seats = new TimedRatio(ratioBounds.priority_level_seat_utilization);
  readonly waiting = new TimedRatio(ratioBounds.priority_level_request_utilization);
  readonly executing = new TimedRatio(ratioBounds.priority_level_request_utilization);
  readonly demand = new TimedRatio(ratioBounds.demand_seats);
  #lastMs: number;

  constructor(nowMs: number) {
    this.#lastMs = nowMs;
  }

  /** Called before anything of it changes: so it was until now. */
  until(nowMs: number, used: Used): void {
    const spanMs = nowMs - this.#lastMs;
    if (spanMs <= 0) return;
    this.#lastMs = nowMs;
    const { measure } = used;
    this.seats.was(used.seatsInUse / measure, spanMs);
    this.waiting.was(used.waiting / used.waitingMax, spanMs);
    this.executing.was(used.executing / measure, spanMs);
    this.demand.was(used.demand.seats / measure, spanMs);
  }
}
