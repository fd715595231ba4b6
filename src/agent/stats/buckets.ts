/** Upper bounds of histograms, made the ways that kubelet's are. */

/** Those of Prometheus' clients. */
export const usualBuckets = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];

/** How long pods take to start: round numbers from half a second to an hour. */
export const podStartBuckets = [
  0.5, 1, 2, 3, 4, 5, 6, 8, 10, 20, 30, 45, 60, 120, 180, 240, 300, 360, 480, 600, 900, 1200, 1800,
  2700, 3600,
];

/** `count` bounds, each `factor` times the one before it. */
export function growingBuckets(first: number, factor: number, count: number): readonly number[] {
  const bounds = [first];
  while (bounds.length < count) bounds.push((bounds.at(-1) ?? first) * factor);
  return bounds;
}

/** `count` bounds from the first to the last, growing evenly. */
export function bucketsBetween(first: number, last: number, count: number): readonly number[] {
  const factor = (last / first) ** (1 / (count - 1));
  return Array.from({ length: count }, (_, at) => first * factor ** at);
}
