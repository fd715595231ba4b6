import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { NodeSummary, ReadNodeSummary } from "#apiserver/metrics-api/node-summary.ts";

/** A node's statistics and the time they are an average of. */
export interface Sample {
  readonly summary: NodeSummary;
  readonly windowMs: number;
}

export interface SummaryCacheParts {
  readonly read: ReadNodeSummary;
  readonly clock: Clock;
  readonly log: Log;
}

/**
 * Asks nodes when somebody wants to know, and not again for ten seconds: a cluster that nobody looks at does not work
 * for this. A node that does not answer is left out.
 */
export class SummaryCache {
  readonly #parts: SummaryCacheParts;
  readonly #entries = new Map<string, Entry>();

  constructor(parts: SummaryCacheParts) {
    this.#parts = parts;
  }

  async samples(
    nodes: readonly string[],
    signal: AbortSignal,
  ): Promise<ReadonlyMap<string, Sample>> {
    const found = new Map<string, Sample>();
    const waiting = [...nodes];
    const work = async (): Promise<void> => {
      for (let name = waiting.pop(); name !== undefined; name = waiting.pop()) {
        if (signal.aborted) return;
        const sample = await this.#sampleOf(name);
        if (sample) found.set(name, sample);
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnceMax, nodes.length) }, work));
    return found;
  }

  #sampleOf(name: string): Promise<Sample | undefined> {
    const { clock } = this.#parts;
    const known = this.#entries.get(name);
    if (known && this.#ageMs(known) < freshMs) return known.sample;
    const entry: Entry = { atMs: clock.now(), sample: this.#ask(name, known?.atMs) };
    this.#forgetOld();
    this.#entries.set(name, entry);
    return entry.sample;
  }

  async #ask(name: string, beforeMs: number | undefined): Promise<Sample | undefined> {
    const { read, clock, log } = this.#parts;
    const limit = new AbortController();
    const stop = clock.after(answerMaxMs, () => limit.abort(new Error("no answer in time")));
    try {
      const summary = await read(name, limit.signal);
      const sinceMs = beforeMs ?? Date.parse(summary.node.startTime);
      const spanMs = clock.now() - sinceMs;
      return { summary, windowMs: Math.min(Math.max(spanMs, 1000), windowMaxMs) };
    } catch (error) {
      log.debug("a node did not tell its statistics", { node: name, error });
      return undefined;
    } finally {
      stop();
    }
  }

  #forgetOld(): void {
    for (const [name, entry] of this.#entries) {
      if (this.#ageMs(entry) < windowMaxMs) return;
      this.#entries.delete(name);
    }
  }

  /** Where the clock was put back, what seems to come later is as old as it is far away. */
  #ageMs({ atMs }: Entry): number {
    return Math.abs(this.#parts.clock.now() - atMs);
  }
}

interface Entry {
  readonly atMs: number;
  readonly sample: Promise<Sample | undefined>;
}

const freshMs = 10_000;
const atOnceMax = 32;
const answerMaxMs = 10_000;
/** What was asked for longer ago tells nothing of the span that a node's average is over. */
const windowMaxMs = 60_000;
