import { readQuantity } from "#api/quantity.ts";

/** What a container takes that says nothing of it. */
const idleCores = 0.001;
const idleMemoryBytes = 8 * 1024 * 1024;

/** How a simulated container behaves. */
export interface Behaviour {
  /** From the call to start until it runs. */
  readonly startMs: number;
  /** How long it runs; absent: until it is stopped. */
  readonly runMs?: number;
  readonly exitCode: number;
  /** How likely a start ends in a crash, from 0 to 1. */
  readonly crashProbability: number;
  /** What it prints when it starts, and again every `logEveryMs`. */
  readonly log: string;
  readonly logEveryMs?: number;
  /** Its readiness, liveness and startup probes pass from this moment after its start … */
  readonly healthyAfterMs: number;
  /** … and fail from this one on. */
  readonly unhealthyAfterMs: number;
  /** The processors it keeps busy, and the memory it holds. */
  readonly cores: number;
  readonly memoryBytes: number;
}

/**
 * Reads the annotations `simulated.kogge.dev/…` (without that prefix here): `start-ms`, `run-seconds`, `exit-code`, `crash-probability`,
 * `log`, `log-every-ms`, `healthy-after-seconds`, `unhealthy-after-seconds`, `cpu`, `memory` (quantities). `exit-code.web`
 * is for the container `web` alone. A value that is no number counts as absent.
 */
export function behaviourOf(
  container: string,
  annotations: Readonly<Record<string, string>>,
): Behaviour {
  const text = (name: string): string | undefined =>
    annotations[`${name}.${container}`] ?? annotations[name];
  const number = (name: string): number | undefined => {
    const value = Number(text(name));
    return text(name) === undefined || !Number.isFinite(value) || value < 0 ? undefined : value;
  };
  const amount = (name: string): number | undefined => {
    const quantity = readQuantity(text(name) ?? "");
    return typeof quantity === "string" || quantity.nano < 0n
      ? undefined
      : Number(quantity.nano) / 1e9;
  };
  const runSeconds = number("run-seconds");
  const logEveryMs = number("log-every-ms");
  return {
    startMs: number("start-ms") ?? 0,
    ...(runSeconds !== undefined && { runMs: runSeconds * 1000 }),
    exitCode: number("exit-code") ?? 0,
    crashProbability: number("crash-probability") ?? 0,
    log: text("log") ?? "",
    ...(logEveryMs && { logEveryMs }),
    healthyAfterMs: (number("healthy-after-seconds") ?? 0) * 1000,
    unhealthyAfterMs: (number("unhealthy-after-seconds") ?? Infinity) * 1000,
    cores: amount("cpu") ?? idleCores,
    memoryBytes: amount("memory") ?? idleMemoryBytes,
  };
}
