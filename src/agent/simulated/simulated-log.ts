import { type Clock, rfc3339Micro, sleep } from "#base/clock.ts";
import type { Behaviour } from "#agent/simulated/behaviour.ts";

export interface SimulatedRun {
  readonly behaviour: Behaviour;
  readonly startedMs: number;
  /** 0 while it runs. */
  readonly finishedMs: number;
}

/** Of a container that printed more, the last lines; the others are forgotten. */
const linesMax = 10_000;
/** How soon a reader that follows learns of the end of a container that prints nothing. */
const lookMs = 1000;

/** The lines a container has printed, made up when they are asked for: nothing is kept and no timer prints. */
export async function* logOf(log: {
  readonly run: () => SimulatedRun;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly follow: boolean;
}): AsyncGenerator<string, void, undefined> {
  const { run, clock, signal, follow } = log;
  const { behaviour, startedMs } = run();
  const { logEveryMs } = behaviour;
  const lineAt = (index: number): number => startedMs + index * (logEveryMs ?? 0);
  const printed = (): number => {
    if (behaviour.log === "" || startedMs === 0) return 0;
    if (logEveryMs === undefined) return 1;
    const untilMs = run().finishedMs || clock.now();
    return Math.floor((untilMs - startedMs) / logEveryMs) + 1;
  };
  let index = Math.max(0, printed() - linesMax);
  for (;;) {
    for (; index < printed(); index += 1) yield* linesOf(behaviour.log, lineAt(index));
    if (!follow || signal.aborted || run().finishedMs > 0) return;
    const nextMs = logEveryMs === undefined ? lookMs : lineAt(index) - clock.now();
    await sleep(clock, Math.max(1, Math.min(nextMs, lookMs)), signal).catch(() => {});
  }
}

function linesOf(text: string, timeMs: number): readonly string[] {
  const time = rfc3339Micro(timeMs).replace("Z", "000Z");
  return text.split("\n").map((line) => `${time} stdout F ${line}`);
}
