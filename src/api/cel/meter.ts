/** Told how long expressions took to compile and to work out, in milliseconds of its own clock. */
export interface ExpressionMeter {
  now(): number;
  compiled(durationMs: number): void;
  evaluated(durationMs: number): void;
}

const meters = new Set<ExpressionMeter>();

/**
 * Measures every expression of the process until it is disposed of: they are compiled and run far from any server,
 * in rules of schemas, policies, selectors of devices and logins alike.
 */
export function measureExpressions(meter: ExpressionMeter): Disposable {
  meters.add(meter);
  return { [Symbol.dispose]: () => void meters.delete(meter) };
}

/** Runs the act and tells the meters; without any it costs nothing. */
export function measured<Result>(kind: "compiled" | "evaluated", act: () => Result): Result {
  if (meters.size === 0) return act();
  const started = Array.from(meters, (meter) => ({ meter, startMs: meter.now() }));
  try {
    return act();
  } finally {
    for (const { meter, startMs } of started) meter[kind](meter.now() - startMs);
  }
}
