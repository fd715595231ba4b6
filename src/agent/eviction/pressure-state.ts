import {
  crossed,
  type Observations,
  type Pressure,
  signals,
  type Threshold,
} from "#agent/eviction/thresholds.ts";

/** What was seen of thresholds and conditions up to a moment; each look makes the next state from it. */
export interface PressureState {
  /** When each threshold was first found crossed, while it still is. */
  readonly sinceMs: ReadonlyMap<Threshold, number>;
  /** When each condition was last found to hold. */
  readonly lastMs: ReadonlyMap<Pressure, number>;
  /** Those that drive evictions: crossed for as long as their grace period says. */
  readonly met: readonly Threshold[];
  /** The node's conditions: they hold until they were gone for the transition period. */
  readonly pressures: ReadonlySet<Pressure>;
}

export const noPressure: PressureState = {
  sinceMs: new Map(),
  lastMs: new Map(),
  met: [],
  pressures: new Set(),
};

export function nextPressure(
  before: PressureState,
  seen: {
    readonly thresholds: readonly Threshold[];
    readonly observations: Observations;
    readonly nowMs: number;
    readonly transitionMs: number;
  },
): PressureState {
  const { thresholds, observations, nowMs, transitionMs } = seen;
  const unresolved = crossed(before.met, observations, true);
  const found = new Set([...crossed(thresholds, observations, false), ...unresolved]);
  const sinceMs = new Map([...found].map((one) => [one, before.sinceMs.get(one) ?? nowMs]));
  const lastMs = new Map(before.lastMs);
  for (const { signal } of found) lastMs.set(signals[signal].pressure, nowMs);
  const holding = [...lastMs].filter(([, at]) => at === nowMs || nowMs - at < transitionMs);
  return {
    sinceMs,
    lastMs: new Map(holding),
    met: [...found].filter((one) => nowMs - (sinceMs.get(one) ?? nowMs) >= (one.graceMs ?? 0)),
    pressures: new Set(holding.map(([name]) => name)),
  };
}

/** The threshold to act upon: memory before all others. */
export function worstOf(met: readonly Threshold[]): Threshold | undefined {
  return met.find(({ signal }) => signal === "memory.available") ?? met[0];
}
