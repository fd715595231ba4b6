/**
 * Durations as Go's `time.ParseDuration` reads them: `300ms`, `1h30m`, `-1.5s`, `0`.
 * @returns nanoseconds; undefined when it is none, or longer than Go can count (292 years)
 */
export function parseGoDurationNanos(text: string): bigint | undefined {
  if (text.length > textMax) return undefined;
  const amount = text.replace(/^[+-]/, "");
  if (amount === "0") return 0n;
  if (!/^(?:(?:\d+(?:\.\d*)?|\.\d+)(?:ns|us|µs|μs|ms|s|m|h))+$/.test(amount)) return undefined;
  let nanos = 0n;
  for (const [, whole = "", fraction = "", unit = ""] of amount.matchAll(
    /(\d*)\.?(\d*)(ns|us|µs|μs|ms|s|m|h)/g,
  )) {
    const scale = unitNanos[unit] ?? 1n;
    nanos += BigInt(whole) * scale + (BigInt(fraction) * scale) / 10n ** BigInt(fraction.length);
  }
  if (nanos > nanosMax) return undefined;
  return text.startsWith("-") ? -nanos : nanos;
}

/**
 * As `parseGoDurationNanos`, in milliseconds, with their fraction. What is no text is no duration: configuration files
 * hold anything. A sign is the caller's to refuse.
 */
export function parseGoDuration(text: unknown): number | undefined {
  const nanos = typeof text === "string" ? parseGoDurationNanos(text) : undefined;
  return nanos === undefined ? undefined : Number(nanos) / 1e6;
}

const textMax = 256;
const nanosMax = 2n ** 63n - 1n;
const nanosPerSecond = 1_000_000_000n;

const unitNanos: Readonly<Record<string, bigint>> = {
  ns: 1n,
  us: 1_000n,
  // The micro sign and the Greek letter.
  µs: 1_000n,
  μs: 1_000n,
  ms: 1_000_000n,
  s: nanosPerSecond,
  m: 60n * nanosPerSecond,
  h: 3_600n * nanosPerSecond,
};
