import { parseGoDuration } from "#base/go-duration.ts";

/**
 * Why a text is no cron schedule (five fields, or `@hourly` and the like), in the words of the library upstream uses;
 * undefined for a good one.
 */
export function scheduleProblem(text: string): string | undefined {
  const schedule = text.replace(/^(CRON_)?TZ=\S*\s*/, "").trim();
  if (schedule === "") return "empty spec string";
  if (schedule.startsWith("@")) return descriptorProblem(schedule);
  const parts = schedule.split(/\s+/);
  if (parts.length !== fields.length) {
    return `expected exactly ${fields.length} fields, found ${parts.length}: [${parts.join(" ")}]`;
  }
  for (const [index, field] of fields.entries()) {
    const problem = fieldProblem(parts[index] ?? "", field);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

interface CronField {
  readonly min: number;
  readonly max: number;
  readonly names: readonly string[];
}

const months = "jan feb mar apr may jun jul aug sep oct nov dec".split(" ");
const days = "sun mon tue wed thu fri sat".split(" ");

/** Minute, hour, day of month, month, day of week. */
const fields: readonly CronField[] = [
  { min: 0, max: 59, names: [] },
  { min: 0, max: 23, names: [] },
  { min: 1, max: 31, names: [] },
  { min: 1, max: 12, names: months },
  { min: 0, max: 6, names: days },
];

const descriptors = ["yearly", "annually", "monthly", "weekly", "daily", "midnight", "hourly"];

function descriptorProblem(text: string): string | undefined {
  const every = /^@every (.*)$/.exec(text)?.[1];
  if (every !== undefined) {
    return parseGoDuration(every) !== undefined
      ? undefined
      : `failed to parse duration ${text}: time: invalid duration ${JSON.stringify(every)}`;
  }
  return descriptors.includes(text.slice(1)) ? undefined : `unrecognized descriptor: ${text}`;
}

function fieldProblem(text: string, field: CronField): string | undefined {
  for (const range of text.split(",")) {
    const problem = rangeProblem(range, field);
    if (problem !== undefined) return problem;
  }
  return undefined;
}

function rangeProblem(text: string, field: CronField): string | undefined {
  const [range = "", step, ...more] = text.split("/");
  const [low = "", high, ...rest] = range.split("-");
  if (more.length > 0) return `too many slashes: ${text}`;
  if (rest.length > 0) return `too many hyphens: ${text}`;
  const any = low === "*" || low === "?";
  const start = any ? field.min : numberOf(low, field);
  if (typeof start === "string") return start;
  const single = high === undefined && step === undefined ? start : field.max;
  const end = any ? field.max : high === undefined ? single : numberOf(high, field);
  if (typeof end === "string") return end;
  const stride = step === undefined ? 1 : numberOf(step, { ...field, names: [] });
  if (typeof stride === "string") return stride;
  if (start < field.min) {
    return `beginning of range (${start}) below minimum (${field.min}): ${text}`;
  }
  if (end > field.max) return `end of range (${end}) above maximum (${field.max}): ${text}`;
  if (start > end) {
    return `beginning of range (${start}) beyond end of range (${end}): ${text}`;
  }
  return stride === 0 ? `step of range should be a positive number: ${text}` : undefined;
}

/** The number that a text names, or what is wrong with it. */
function numberOf(text: string, field: CronField): number | string {
  const index = field.names.indexOf(text.toLowerCase());
  if (index >= 0) return index + field.min;
  if (/^[+-]?\d{1,9}$/.test(text)) {
    const value = Number(text);
    return value < 0 ? `negative number (${value}) not allowed: ${text}` : value;
  }
  return `failed to parse int from ${text}: strconv.Atoi: parsing ${JSON.stringify(text)}: invalid syntax`;
}
