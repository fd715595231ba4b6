import { ratioBounds, TimedRatio } from "#apiserver/fairness/timed-ratio.ts";

export type RequestKind = "readOnly" | "mutating";
export type RequestPhase = "waiting" | "executing";

/** How many requests there may be of each phase. */
export type PhaseLimits = Readonly<Record<RequestPhase, number>>;

export function requestKind(verb: string): RequestKind {
  return verb === "get" || verb === "list" || verb === "watch" ? "readOnly" : "mutating";
}

interface Requests {
  readonly phase: RequestPhase;
  readonly kind: RequestKind;
  now: number;
  readonly ratio: TimedRatio;
}

/** How many reads and writes wait and are carried out, over time. */
export class ReadsAndWrites {
  readonly #limits: () => PhaseLimits;
  readonly #requests: readonly Requests[];
  #lastMs: number;

  constructor(limits: () => PhaseLimits, nowMs: number) {
    this.#limits = limits;
    this.#lastMs = nowMs;
    this.#requests = [
      requestsOf("waiting", "readOnly"),
      requestsOf("waiting", "mutating"),
      requestsOf("executing", "readOnly"),
      requestsOf("executing", "mutating"),
    ];
  }

  change(which: { phase: RequestPhase; kind: RequestKind }, by: number, nowMs: number): void {
    this.#until(nowMs);
    for (const one of this.#requests) {
      if (one.phase === which.phase && one.kind === which.kind) one.now += by;
    }
  }

  /** Up to now. */
  ratios(nowMs: number): readonly Readonly<Requests>[] {
    this.#until(nowMs);
    return this.#requests;
  }

  #until(nowMs: number): void {
    const spanMs = nowMs - this.#lastMs;
    if (spanMs <= 0) return;
    this.#lastMs = nowMs;
    const limits = this.#limits();
    for (const { phase, now, ratio } of this.#requests) ratio.was(now / limits[phase], spanMs);
  }
}

function requestsOf(phase: RequestPhase, kind: RequestKind): Requests {
  const ratio = new TimedRatio(ratioBounds.read_vs_write_current_requests);
  return { phase, kind, now: 0, ratio };
}
