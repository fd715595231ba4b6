import type { Pod } from "#api/generated/types.ts";

export const indexAnnotation = "batch.kubernetes.io/job-completion-index";

/** `0-2,4` → 0, 1, 2, 4. */
export function parseIndexes(text: string | undefined): ReadonlySet<number> {
  const indexes = new Set<number>();
  for (const part of (text ?? "").split(",")) {
    const [from = "", to = from] = part.split("-");
    if (from === "") continue;
    for (let index = Number(from); index <= Number(to); index++) indexes.add(index);
  }
  return indexes;
}

export function formatIndexes(indexes: Iterable<number>): string {
  const ranges: [number, number][] = [];
  for (const index of [...indexes].toSorted((one, other) => one - other)) {
    const last = ranges.at(-1);
    if (last && last[1] === index - 1) last[1] = index;
    else ranges.push([index, index]);
  }
  // Two in a row are listed, as upstream does.
  return ranges
    .map(([from, to]) => {
      if (from === to) return String(from);
      return to === from + 1 ? `${from},${to}` : `${from}-${to}`;
    })
    .join(",");
}

/** The completion index of a pod of an indexed Job. */
export function indexOf(pod: Pod): number | undefined {
  const text = pod.metadata.annotations?.[indexAnnotation];
  return text === undefined ? undefined : Number(text);
}
