import process from "node:process";
import { getHeapStatistics, setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import type { Clock } from "#base/clock.ts";

/** What a look at the process tells: CPU since its start, and the memory that its heap holds, garbage included. */
export interface Usage {
  readonly cpuMs: number;
  readonly heapBytes: number;
}

const lookEveryMs = 5_000;
/** Of a core. */
const quietShare = 0.05;
/** Less than this is not worth a pause. */
const worthBytes = 12 * 1024 * 1024;
/** A collection costs up to half a second of CPU; little work in between must not make many of them. */
const workMs = 5_000;
/** A pause takes 2 to 4 ms a megabyte: that of a large heap would be noticed even by the few who ask. */
const heapMaxBytes = 384 * 1024 * 1024;

/**
 * Gives memory back whenever the process has grown quiet: V8 keeps what it once took (its room for new objects alone
 * grows to 48 MB while requests come) and sees no reason to collect while little happens.
 */
export function giveBackWhenQuiet(clock: Clock): Disposable {
  const watch = new QuietWatch(usageNow().cpuMs);
  const collect = collector();
  let cancel = (): void => {};
  const look = (): void => {
    if (watch.isDue(usageNow())) {
      collect();
      watch.collected(usageNow());
    }
    cancel = clock.after(lookEveryMs, look);
  };
  cancel = clock.after(lookEveryMs, look);
  return { [Symbol.dispose]: () => cancel() };
}

/** Decides when memory is given back. */
export class QuietWatch {
  #cpuMs: number;
  /** When memory was last given back; the start counts as work. */
  #last: Usage = { cpuMs: -workMs, heapBytes: 0 };

  constructor(cpuMs: number) {
    this.#cpuMs = cpuMs;
  }

  /** To be asked every five seconds. */
  isDue({ cpuMs, heapBytes }: Usage): boolean {
    const share = (cpuMs - this.#cpuMs) / lookEveryMs;
    this.#cpuMs = cpuMs;
    if (share > quietShare || heapBytes > heapMaxBytes) return false;
    return cpuMs > this.#last.cpuMs + workMs && heapBytes > this.#last.heapBytes + worthBytes;
  }

  /** What stays is in use: only what comes on top of it counts from now on. */
  collected(usage: Usage): void {
    this.#cpuMs = usage.cpuMs;
    this.#last = usage;
  }
}

function usageNow(): Usage {
  const { user, system } = process.cpuUsage();
  return { cpuMs: (user + system) / 1_000, heapBytes: getHeapStatistics().total_heap_size };
}

/** V8's most thorough collection, which also gives free pages back; Node has it behind a flag that may be set late. */
function collector(): () => void {
  setFlagsFromString("--expose-gc");
  const collect = runInNewContext("gc") as NodeJS.GCFunction;
  return () => collect({ type: "major", execution: "sync", flavor: "last-resort" });
}
