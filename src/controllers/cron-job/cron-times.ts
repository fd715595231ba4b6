import { parseGoDuration } from "#base/go-duration.ts";
import { scheduleProblem } from "#api/strategies/batch/cron-schedule.ts";

/** When a schedule is due, as upstream's cron library has it. */
export interface CronTimes {
  /** The first time after `ms`; undefined when there is none within five years. */
  next(ms: number): number | undefined;
}

const minuteMs = 60_000;
const hourMs = 60 * minuteMs;
const searchMaxMs = 5 * 366 * 24 * hourMs;

/** Throws for a schedule or a time zone that is none. Without a zone: UTC. */
export function parseCronTimes(schedule: string, timeZone?: string): CronTimes {
  const problem = scheduleProblem(schedule);
  if (problem !== undefined) throw new Error(problem);
  const inline = /^(?:CRON_)?TZ=(\S*)\s*(.*)$/.exec(schedule);
  const text = (inline?.[2] ?? schedule).trim();
  const every = /^@every (.*)$/.exec(text)?.[1];
  if (every !== undefined) return everyDuration(every);
  const wall = wallClock(inline?.[1] ?? timeZone ?? "UTC");
  const fields = parseFields(descriptors[text] ?? text);
  return { next: (ms) => nextMatch(fields, wall, ms) };
}

const descriptors: Readonly<Record<string, string>> = {
  "@yearly": "0 0 1 1 *",
  "@annually": "0 0 1 1 *",
  "@monthly": "0 0 1 * *",
  "@weekly": "0 0 * * 0",
  "@daily": "0 0 * * *",
  "@midnight": "0 0 * * *",
  "@hourly": "0 * * * *",
};

/** From the second after `ms` on, in whole seconds, at least one. */
function everyDuration(text: string): CronTimes {
  const seconds = Math.floor((parseGoDuration(text) ?? 0) / 1000);
  const periodMs = Math.max(1, seconds) * 1000;
  return { next: (ms) => Math.floor(ms / 1000) * 1000 + periodMs };
}

interface CronFields {
  readonly minutes: ReadonlySet<number>;
  readonly hours: ReadonlySet<number>;
  readonly months: ReadonlySet<number>;
  readonly isDay: (dayOfMonth: number, dayOfWeek: number) => boolean;
}

const monthNames = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");
const dayNames = "sun mon tue wed thu fri sat".split(" ");

function parseFields(text: string): CronFields {
  const [minute = "", hour = "", dayOfMonth = "", month = "", dayOfWeek = ""] = text.split(/\s+/);
  const days = parseField(dayOfMonth, { min: 1, max: 31, names: [] });
  const weekdays = parseField(dayOfWeek, { min: 0, max: 6, names: dayNames });
  // Where both are given, either is enough; a star, with or without a step, gives nothing.
  const both = !isStar(dayOfMonth) && !isStar(dayOfWeek);
  return {
    minutes: parseField(minute, { min: 0, max: 59, names: [] }),
    hours: parseField(hour, { min: 0, max: 23, names: [] }),
    months: parseField(month, { min: 1, max: 12, names: monthNames }),
    isDay: (day, weekday) =>
      both ? days.has(day) || weekdays.has(weekday) : days.has(day) && weekdays.has(weekday),
  };
}

function isStar(text: string): boolean {
  return text.split(",").some((part) => /^[*?]/.test(part));
}

interface FieldRange {
  readonly min: number;
  readonly max: number;
  readonly names: readonly string[];
}

function parseField(text: string, { min, max, names }: FieldRange): ReadonlySet<number> {
  const numberOf = (word: string): number => {
    const index = names.indexOf(word.toLowerCase());
    return index >= 0 ? index + min : Number(word);
  };
  const values = new Set<number>();
  for (const part of text.split(",")) {
    const [range = "", step] = part.split("/");
    const [low = "", high] = range.split("-");
    const any = low === "*" || low === "?";
    const start = any ? min : numberOf(low);
    const open = any || (high === undefined && step !== undefined);
    const end = open ? max : high === undefined ? start : numberOf(high);
    for (let value = start; value <= end; value += Number(step ?? 1)) values.add(value);
  }
  return values;
}

interface WallTime {
  readonly month: number;
  readonly day: number;
  readonly weekday: number;
  readonly hour: number;
  readonly minute: number;
}

/** What a clock on a wall in the zone shows. Throws for an unknown zone. */
function wallClock(timeZone: string): (ms: number) => WallTime {
  const zone = timeZone === "Local" || timeZone === "" ? "UTC" : timeZone;
  const options = { month: "numeric", day: "numeric", weekday: "short" } as const;
  const format = new Intl.DateTimeFormat("en-US", {
    ...options,
    timeZone: zone,
    hour: "numeric",
    minute: "numeric",
    hourCycle: "h23",
  });
  return (ms) => {
    const parts = new Map(format.formatToParts(ms).map(({ type, value }) => [type, value]));
    const number = (type: Intl.DateTimeFormatPartTypes): number => Number(parts.get(type));
    const weekday = dayNames.indexOf((parts.get("weekday") ?? "").toLowerCase());
    const [month, day] = [number("month"), number("day")];
    return { month, day, weekday, hour: number("hour"), minute: number("minute") };
  };
}

/**
 * Walks to the right day, to the right hour, then to the minute. A time that the clock skips in spring does not come;
 * one that it shows twice in autumn comes twice.
 */
function nextMatch(
  fields: CronFields,
  wall: (ms: number) => WallTime,
  afterMs: number,
): number | undefined {
  const untilMs = afterMs + searchMaxMs;
  let ms = (Math.floor(afterMs / minuteMs) + 1) * minuteMs;
  while (ms < untilMs) {
    const { month, day, weekday, hour, minute } = wall(ms);
    if (!fields.months.has(month) || !fields.isDay(day, weekday)) {
      // To midnight by the clock; a changed offset on the way is met hour by hour.
      const leftMs = (24 - hour) * hourMs - minute * minuteMs;
      ms += leftMs > 3 * hourMs ? leftMs - 2 * hourMs : hourMs - ((minute * minuteMs) % hourMs);
    } else if (!fields.hours.has(hour)) ms += hourMs - minute * minuteMs;
    else if (!fields.minutes.has(minute)) ms += minuteMs;
    else return ms;
  }
  return undefined;
}
