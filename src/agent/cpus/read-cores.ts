import { readFileSync } from "node:fs";
import { formatCpus, parseCpus } from "#agent/cpus/cpu-set.ts";

const root = "/sys/devices/system/cpu";

/** The processors that are switched on, those of one core together. */
export function readCores(): readonly (readonly number[])[] {
  const cores = new Map<string, readonly number[]>();
  for (const cpu of parseCpus(readFileSync(`${root}/online`, "utf8"))) {
    const siblings = siblingsOf(cpu);
    cores.set(formatCpus(siblings), siblings);
  }
  return [...cores.values()];
}

function siblingsOf(cpu: number): readonly number[] {
  try {
    return parseCpus(readFileSync(`${root}/cpu${cpu}/topology/thread_siblings_list`, "utf8"));
  } catch {
    // A machine that does not say counts each processor as a core.
    return [cpu];
  }
}
