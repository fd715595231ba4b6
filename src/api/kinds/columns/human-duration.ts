/**
 * A duration as `kubectl` prints ages, two units at most and coarser with size: `45s`, `3m20s`, `5h12m`, `2d3h`,
 * `40d`, `3y120d`, `9y` (`k8s.io/apimachinery/pkg/util/duration`, HumanDuration). Up to two seconds in the future
 * is `0s`, further is `<invalid>`.
 */
export function humanDuration(durationMs: number): string {
  const seconds = Math.trunc(durationMs / 1000);
  if (seconds < -1) return "<invalid>";
  if (seconds < 0) return "0s";
  if (seconds < 2 * minute) return `${seconds}s`;
  if (seconds < 10 * minute) return pair(seconds, [minute, "m"], [1, "s"]);
  if (seconds < 3 * hour) return `${whole(seconds, minute)}m`;
  if (seconds < 8 * hour) return pair(seconds, [hour, "h"], [minute, "m"]);
  if (seconds < 2 * day) return `${whole(seconds, hour)}h`;
  if (seconds < 8 * day) return pair(seconds, [day, "d"], [hour, "h"]);
  if (seconds < 2 * year) return `${whole(seconds, day)}d`;
  if (seconds < 8 * year) return pair(seconds, [year, "y"], [day, "d"]);
  return `${whole(seconds, year)}y`;
}

const minute = 60;
const hour = 60 * minute;
const day = 24 * hour;
const year = 365 * day;

type Unit = readonly [seconds: number, letter: string];

function pair(seconds: number, [large, largeLetter]: Unit, [small, smallLetter]: Unit): string {
  const rest = whole(seconds % large, small);
  const head = `${whole(seconds, large)}${largeLetter}`;
  return rest === 0 ? head : `${head}${rest}${smallLetter}`;
}

function whole(seconds: number, unit: number): number {
  return Math.floor(seconds / unit);
}
