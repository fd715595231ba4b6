import { type Clock, sleep } from "#base/clock.ts";

export interface MissedEndsParts {
  readonly clock: Clock;
  /** The ids of all containers that have ended. */
  readonly ended: () => Promise<readonly string[]>;
  /** Called for each container that was not among them before. */
  readonly tell: (containerId: string) => void;
}

const firstCheckMs = 1000;
const checkMs = 10_000;

/**
 * containerd tells of an end once, and its CRI may know of it seconds later: who lists its containers in between sees
 * one that runs, and never hears of it. So the list of those that have ended is looked at from time to time.
 */
export async function watchEnds(
  { clock, ended, tell }: MissedEndsParts,
  signal: AbortSignal,
): Promise<void> {
  let known: ReadonlySet<string> = new Set();
  const pause = (ms: number): Promise<void> => sleep(clock, ms, signal).catch(() => {});
  await pause(firstCheckMs);
  while (!signal.aborted) {
    // While containerd cannot be reached, its events say so.
    const ids = await ended().catch(() => undefined);
    if (ids !== undefined) {
      for (const id of ids) if (!known.has(id)) tell(id);
      known = new Set(ids);
    }
    await pause(checkMs);
  }
}
