import type { Behaviour } from "#agent/simulated/behaviour.ts";
import type { ContainerStats } from "#agent/runtime/container-runtime.ts";

/** What a simulated container has used: evenly what its behaviour says, which may change while it runs. */
export class SimulatedUsage {
  #cpuNanoseconds = 0;
  #untilMs = 0;

  /** The usage at a moment; what went before it counts by `behaviour`, since the last call or the start. */
  at(
    nowMs: number,
    state: { readonly id: string; readonly startedMs: number },
    { cores, memoryBytes }: Behaviour,
  ): ContainerStats {
    const fromMs = Math.max(this.#untilMs, state.startedMs);
    this.#cpuNanoseconds += Math.max(0, nowMs - fromMs) * cores * 1e6;
    this.#untilMs = Math.max(fromMs, nowMs);
    return {
      id: state.id,
      timeMs: nowMs,
      cpuNanoseconds: Math.round(this.#cpuNanoseconds),
      workingSetBytes: memoryBytes,
      usageBytes: memoryBytes,
      rssBytes: memoryBytes,
      writtenBytes: 0,
      writtenInodes: 0,
    };
  }
}
