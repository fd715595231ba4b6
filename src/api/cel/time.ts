import { parseGoDurationNanos } from "#base/go-duration.ts";
import { DurationValue, EvaluationError, TimestampValue } from "#api/cel/value.ts";

const secondsMin = Date.parse("0001-01-01T00:00:00Z") / 1_000;
const secondsMax = Date.parse("9999-12-31T23:59:59Z") / 1_000;
const nanosMax = 2n ** 63n - 1n;
const nanosPerSecond = 1_000_000_000n;

/** A timestamp between the years 1 and 9999. */
export function timestamp(seconds: number, nanos: number): TimestampValue {
  if (seconds < secondsMin || seconds > secondsMax) throw new EvaluationError("timestamp overflow");
  return new TimestampValue(seconds, nanos);
}

/** A duration as Go holds it: some 292 years either way. */
export function duration(nanos: bigint): DurationValue {
  if (nanos > nanosMax || nanos < -nanosMax - 1n) throw new EvaluationError("integer overflow");
  return new DurationValue(nanos);
}

const rfc3339 =
  /^(\d{4})-(\d\d)-(\d\d)[Tt](\d\d):(\d\d):(\d\d)(?:[.,](\d{1,9})\d*)?(?:[Zz]|([+-])(\d\d):(\d\d))$/;

/** Reads RFC 3339, or undefined where the text is none. */
export function parseTimestamp(text: string): TimestampValue | undefined {
  const match = rfc3339.exec(text);
  if (match === null) return undefined;
  const [, year = "", month = "", day = "", hour = "", minute = "", second = ""] = match;
  const [fraction = "", sign = "+", hours = "0", minutes = "0"] = match.slice(7);
  const date = `${year}-${month}-${day}`;
  const local = Date.parse(`${date}T${hour}:${minute}:${second}Z`);
  if (Number.isNaN(local) || !new Date(`${date}T00:00:00Z`).toISOString().startsWith(date)) {
    return undefined;
  }
  if (Number(hour) > 23) return undefined;
  const offset = (Number(hours) * 60 + Number(minutes)) * 60 * (sign === "-" ? -1 : 1);
  const seconds = local / 1_000 - offset;
  if (seconds < secondsMin || seconds > secondsMax) return undefined;
  return new TimestampValue(seconds, Number(fraction.padEnd(9, "0")), offset);
}

/** A date alone, as schemas of format `date` have it. */
export function parseDate(text: string): TimestampValue | undefined {
  return /^\d{4}-\d\d-\d\d$/.test(text) ? parseTimestamp(`${text}T00:00:00Z`) : undefined;
}

export function formatTimestamp({ seconds, nanos, offsetSeconds }: TimestampValue): string {
  const whole = new Date((seconds + offsetSeconds) * 1_000).toISOString().slice(0, 19);
  const fraction = nanos === 0 ? "" : `.${String(nanos).padStart(9, "0").replace(/0+$/, "")}`;
  return `${whole}${fraction}${zoneText(offsetSeconds)}`;
}

function zoneText(offsetSeconds: number): string {
  if (offsetSeconds === 0) return "Z";
  const minutes = Math.abs(offsetSeconds) / 60;
  const [hour, minute] = [Math.trunc(minutes / 60), minutes % 60].map((part) =>
    String(part).padStart(2, "0"),
  );
  return `${offsetSeconds < 0 ? "-" : "+"}${hour}:${minute}`;
}

/** Reads a duration as Go does: `1h30m`, `-1.5s`, `0`. */
export function parseDuration(text: string): DurationValue | undefined {
  const nanos = parseGoDurationNanos(text);
  return nanos === undefined ? undefined : new DurationValue(nanos);
}

/** In seconds with their fraction, as CEL writes durations: `1.5s`. */
export function formatDuration({ nanos }: DurationValue): string {
  const amount = nanos < 0n ? -nanos : nanos;
  const fraction = amount % nanosPerSecond;
  const tail = fraction === 0n ? "" : `.${String(fraction).padStart(9, "0").replace(/0+$/, "")}`;
  return `${nanos < 0n ? "-" : ""}${amount / nanosPerSecond}${tail}s`;
}

export function addToTimestamp(at: TimestampValue, nanos: bigint): TimestampValue {
  const total = BigInt(at.seconds) * nanosPerSecond + BigInt(at.nanos) + nanos;
  const fraction = ((total % nanosPerSecond) + nanosPerSecond) % nanosPerSecond;
  return timestamp(Number((total - fraction) / nanosPerSecond), Number(fraction));
}

export function betweenTimestamps(from: TimestampValue, to: TimestampValue): DurationValue {
  const seconds = BigInt(to.seconds) - BigInt(from.seconds);
  return duration(seconds * nanosPerSecond + BigInt(to.nanos) - BigInt(from.nanos));
}

export type TimePart =
  | "date"
  | "dayOfMonth"
  | "dayOfWeek"
  | "dayOfYear"
  | "fullYear"
  | "hours"
  | "milliseconds"
  | "minutes"
  | "month"
  | "seconds";

/** A part of a moment as the clocks of a zone show it: `UTC`, `+02:00`, `Europe/Berlin`. */
export function partOfTimestamp(at: TimestampValue, part: TimePart, zone = "UTC"): number {
  const local = new Date((at.seconds + zoneOffset(at, zone)) * 1_000);
  switch (part) {
    case "fullYear":
      return local.getUTCFullYear();
    case "month":
      return local.getUTCMonth();
    case "date":
      return local.getUTCDate();
    case "dayOfMonth":
      return local.getUTCDate() - 1;
    case "dayOfWeek":
      return local.getUTCDay();
    case "dayOfYear": {
      const first = new Date(local);
      first.setUTCMonth(0, 1);
      return Math.round((local.getTime() - first.getTime()) / 86_400_000);
    }
    case "hours":
      return local.getUTCHours();
    case "minutes":
      return local.getUTCMinutes();
    case "seconds":
      return local.getUTCSeconds();
    case "milliseconds":
      return Math.trunc(at.nanos / 1_000_000);
  }
}

/** In seconds. */
function zoneOffset(at: TimestampValue, zone: string): number {
  if (zone === "" || zone === "UTC") return 0;
  const fixed = /^([+-]?)(\d\d):(\d\d)$/.exec(zone);
  if (fixed !== null) {
    const [, sign, hours, minutes] = fixed;
    return (Number(hours) * 60 + Number(minutes)) * 60 * (sign === "-" ? -1 : 1);
  }
  return namedOffset(at, zone);
}

function namedOffset(at: TimestampValue, zone: string): number {
  const moment = new Date(at.seconds * 1_000);
  const parts = formatOf(zone).formatToParts(moment);
  const read = (type: string): number =>
    Number(parts.find((part) => part.type === type)?.value ?? "0");
  const local = Date.UTC(
    read("year"),
    read("month") - 1,
    read("day"),
    read("hour"),
    read("minute"),
    read("second"),
  );
  return Math.round(local / 1_000 - at.seconds);
}

const formats = new Map<string, Intl.DateTimeFormat>();
const formatsMax = 64;

function formatOf(zone: string): Intl.DateTimeFormat {
  const known = formats.get(zone);
  if (known !== undefined) return known;
  const made = makeFormat(zone);
  if (formats.size >= formatsMax) formats.clear();
  formats.set(zone, made);
  return made;
}

function makeFormat(zone: string): Intl.DateTimeFormat {
  try {
    return new Intl.DateTimeFormat("en-US", {
      timeZone: zone,
      hourCycle: "h23",
      year: "numeric",
      month: "numeric",
      day: "numeric",
      hour: "numeric",
      minute: "numeric",
      second: "numeric",
    });
  } catch {
    throw new EvaluationError(`unknown time zone ${zone}`);
  }
}
