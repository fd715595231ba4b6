/** Reads a list of processors as Linux writes it: `0-2,5`. Throws for what is none. */
export function parseCpus(text: string): readonly number[] {
  if (text.trim() === "") return [];
  return text
    .trim()
    .split(",")
    .flatMap((part) => {
      const [, from = "", to = from] = /^(\d+)(?:-(\d+))?$/.exec(part) ?? [];
      if (from === "" || Number(to) < Number(from)) {
        throw new Error(`Cannot read the list of processors "${text}"`);
      }
      return Array.from({ length: Number(to) - Number(from) + 1 }, (_, at) => Number(from) + at);
    });
}

export function formatCpus(cpus: Iterable<number>): string {
  const sorted = [...new Set(cpus)].toSorted((left, right) => left - right);
  const ranges: [number, number][] = [];
  for (const cpu of sorted) {
    const last = ranges.at(-1);
    if (last && last[1] === cpu - 1) last[1] = cpu;
    else ranges.push([cpu, cpu]);
  }
  return ranges.map(([from, to]) => (from === to ? `${from}` : `${from}-${to}`)).join(",");
}
