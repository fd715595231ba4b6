import { type FunctionRow, row } from "#api/cel/function.ts";
import { partOfTimestamp, type TimePart } from "#api/cel/time.ts";
import type { DurationValue, TimestampValue } from "#api/cel/value.ts";

/** Parts of timestamps, in UTC or in a zone that is named, and durations in whole units. */
export const times: readonly FunctionRow[] = [
  ...timestampPart("getFullYear", "fullYear"),
  ...timestampPart("getMonth", "month"),
  ...timestampPart("getDayOfYear", "dayOfYear"),
  ...timestampPart("getDayOfMonth", "dayOfMonth"),
  ...timestampPart("getDate", "date"),
  ...timestampPart("getDayOfWeek", "dayOfWeek"),
  ...timestampPart("getHours", "hours"),
  ...timestampPart("getMinutes", "minutes"),
  ...timestampPart("getSeconds", "seconds"),
  ...timestampPart("getMilliseconds", "milliseconds"),
  durationPart("getHours", 3_600_000_000_000n),
  durationPart("getMinutes", 60_000_000_000n),
  durationPart("getSeconds", 1_000_000_000n),
  durationPart("getMilliseconds", 1_000_000n),
];

function timestampPart(name: string, part: TimePart): FunctionRow[] {
  return [
    row(name, "timestamp.() int", (at: TimestampValue) => partOfTimestamp(at, part)),
    row(name, "timestamp.(string) int", (at: TimestampValue, zone: string) =>
      partOfTimestamp(at, part, zone),
    ),
  ];
}

function durationPart(name: string, unit: bigint): FunctionRow {
  return row(name, "duration.() int", ({ nanos }: DurationValue) => Number(nanos / unit));
}
