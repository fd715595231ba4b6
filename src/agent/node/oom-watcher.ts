import { constants } from "node:fs";
import { open, readFile } from "node:fs/promises";

/** A process that the kernel ended because the whole machine had no memory left. */
export interface OomVictim {
  readonly name: string;
  readonly pid: number;
}

/** What the kernel says of itself; in a test, anything. */
export interface KernelSource {
  /** How many processes were ended for want of memory since the machine started. */
  readonly kills: () => Promise<number>;
  /** The records that the kernel still has, the oldest first: `PRIORITY,SEQUENCE,MICROSECONDS,FLAGS;TEXT`. */
  readonly records: () => Promise<readonly string[]>;
}

/**
 * Tells of processes that fell to a machine without memory. Those that only went over their own group's limit are not
 * among them: their containers say so. The kernel's log is read when its counter has moved, and not otherwise.
 */
export class OomWatcher {
  readonly #onVictim: (victim: OomVictim) => void;
  readonly #source: KernelSource;
  #kills: number | undefined;
  #sequence = -1;

  constructor(onVictim: (victim: OomVictim) => void, source: KernelSource = kernel) {
    this.#onVictim = onVictim;
    this.#source = source;
  }

  /** What happened before the first look is history. */
  async look(): Promise<void> {
    const kills = await this.#source.kills();
    const before = this.#kills;
    this.#kills = kills;
    if (kills === before || (before === undefined && kills === 0)) return;
    for (const { sequence, victim } of (await this.#source.records()).flatMap(victimIn)) {
      if (sequence <= this.#sequence) continue;
      this.#sequence = sequence;
      if (before !== undefined) this.#onVictim(victim);
    }
  }
}

/** Of the kernel's own records (facility 0): any program may write others. */
function victimIn(record: string): readonly { sequence: number; victim: OomVictim }[] {
  const [head = "", text = ""] = record.split(";", 2);
  const [priority = 8, sequence = 0] = head.split(",").map(Number);
  const [, pid, name] =
    /^Out of memory: Kill(?:ed)? process (\d+) \((.+)\) (?:total-vm|score)/.exec(text) ?? [];
  if (priority >= 8 || name === undefined) return [];
  return [{ sequence, victim: { name, pid: Number(pid) } }];
}

const recordBytesMax = 8192;

const kernel: KernelSource = {
  async kills() {
    const counters = await readFile("/proc/vmstat", "utf8");
    return Number(/^oom_kill (\d+)$/m.exec(counters)?.[1] ?? 0);
  },
  async records() {
    // Else the read after the last record would wait for the next one.
    const file = await open("/dev/kmsg", constants.O_RDONLY | constants.O_NONBLOCK);
    const records: string[] = [];
    const buffer = Buffer.alloc(recordBytesMax);
    try {
      for (;;) {
        const length = await file.read(buffer, 0, recordBytesMax, null).then(
          ({ bytesRead }) => bytesRead,
          (error: NodeJS.ErrnoException) => {
            // A record was overwritten before it was read: the next read goes on behind it.
            if (error.code === "EPIPE") return 0;
            if (error.code === "EAGAIN") return -1;
            throw error;
          },
        );
        if (length < 0) return records;
        records.push(buffer.subarray(0, length).toString());
      }
    } finally {
      await file.close();
    }
  },
};
