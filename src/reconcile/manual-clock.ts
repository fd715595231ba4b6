import type { Clock } from "#base/clock.ts";

/** A clock that stands still until it is moved: for tests and simulations. Timers run in the order of their time. */
export interface ManualClock extends Clock {
  /** Moves the time on and runs what falls due. */
  advance(byMs: number): void;
}

export function createManualClock(startMs = 0): ManualClock {
  let nowMs = startMs;
  let timers: { readonly dueMs: number; readonly act: () => void }[] = [];
  const next = (untilMs: number) =>
    timers
      .filter((timer) => timer.dueMs <= untilMs)
      .reduce<(typeof timers)[number] | undefined>(
        (first, timer) => (first && first.dueMs <= timer.dueMs ? first : timer),
        undefined,
      );
  const drop = (timer: (typeof timers)[number]): void => {
    timers = timers.filter((other) => other !== timer);
  };
  return {
    now: () => nowMs,
    after(delayMs, act) {
      const timer = { dueMs: nowMs + delayMs, act };
      timers.push(timer);
      return () => drop(timer);
    },
    advance(byMs) {
      const untilMs = nowMs + byMs;
      for (let timer = next(untilMs); timer; timer = next(untilMs)) {
        drop(timer);
        nowMs = timer.dueMs;
        timer.act();
      }
      nowMs = untilMs;
    },
  };
}
