export type LogLevel = "debug" | "info" | "warn" | "error";
export type LogFields = Readonly<Record<string, unknown>>;

/** One constant phrase and fields. `with` adds fields to every line that follows. */
export interface Log {
  debug(phrase: string, fields?: LogFields): void;
  info(phrase: string, fields?: LogFields): void;
  warn(phrase: string, fields?: LogFields): void;
  error(phrase: string, fields?: LogFields): void;
  with(fields: LogFields): Log;
}

export interface LogRecord {
  readonly level: LogLevel;
  readonly phrase: string;
  readonly fields: LogFields;
}

export function createLog(write: (record: LogRecord) => void, bound: LogFields = {}): Log {
  const at =
    (level: LogLevel) =>
    (phrase: string, fields: LogFields = {}): void =>
      write({ level, phrase, fields: { ...bound, ...fields } });
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    with: (fields) => createLog(write, { ...bound, ...fields }),
  };
}

export const silentLog: Log = createLog(() => {});

/** One line of `key=value` pairs (logfmt); an error shows its message and the messages of its causes. */
export function formatRecord(record: LogRecord, time: string): string {
  const fields = Object.entries(record.fields).map(
    ([key, value]) => `${key}=${formatValue(value)}`,
  );
  return [time, record.level, JSON.stringify(record.phrase), ...fields].join(" ");
}

function formatValue(value: unknown): string {
  if (value instanceof Error) return JSON.stringify(messageOf(value));
  if (typeof value === "string") return /^[\w./:@-]+$/.test(value) ? value : JSON.stringify(value);
  return JSON.stringify(value) ?? "undefined";
}

/** An error's message followed by those of its causes. */
export function messageOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  return error.cause === undefined ? error.message : `${error.message}: ${messageOf(error.cause)}`;
}
