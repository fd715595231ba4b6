import type { MetricsRegistry } from "#base/metrics.ts";
import { GrpcError } from "#agent/containerd/grpc-channel.ts";
import { bucketsBetween } from "#agent/stats/buckets.ts";

export type ClaimOperation = "PrepareResources" | "UnprepareResources";

/** One call of a driver's plugin, as its metric's labels say. */
export interface DriverCall {
  readonly driver: string;
  /** With its service: `/k8s.io.kubelet.pkg.apis.dra.v1.DRAPlugin/NodePrepareResources`. */
  readonly method: string;
  readonly startMs: number;
}

/** How long claims take to be prepared and given back, and how long their drivers take, by kubelet's names. */
export interface ClaimMetrics {
  /** Measures the handling of all of a pod's claims. */
  operation<T>(name: ClaimOperation, work: () => Promise<T>): Promise<T>;
  /** Measures a call of a driver. */
  call<T>(call: Omit<DriverCall, "startMs">, work: () => Promise<T>): Promise<T>;
  /** How many claims are prepared, by driver, is read from here from now on. */
  followClaims(inUse: () => ReadonlyMap<string, number>): void;
}

/** As upstream: a call of a driver may take 45 seconds. */
const buckets = bucketsBetween(0.1, 40, 15);

export function createClaimMetrics(
  registry: MetricsRegistry,
  clock: { now(): number },
): ClaimMetrics {
  const operations = registry.histogram(
    "dra_operations_duration_seconds",
    "Duration in seconds of handling all ResourceClaims of a pod when it starts or stops, by operation and by whether it failed",
    buckets,
  );
  const calls = registry.histogram(
    "dra_grpc_operations_duration_seconds",
    "Duration in seconds of the DRA gRPC operations",
    buckets,
  );
  const sinceSeconds = (startMs: number): number => Math.max(0, clock.now() - startMs) / 1000;
  return {
    async operation(name, work) {
      const startMs = clock.now();
      const tell = (isError: boolean): void =>
        operations.observe(
          { is_error: String(isError), operation_name: name },
          sinceSeconds(startMs),
        );
      return measured(work, { done: () => tell(false), failed: () => tell(true) });
    },
    async call({ driver, method }, work) {
      const startMs = clock.now();
      const tell = (code: string): void =>
        calls.observe(
          { driver_name: driver, grpc_status_code: code, method_name: method },
          sinceSeconds(startMs),
        );
      return measured(work, { done: () => tell("OK"), failed: (error) => tell(codeOf(error)) });
    },
    followClaims(inUse) {
      registry.observedGauge(
        "dra_resource_claims_in_use",
        'Number of ResourceClaims that are prepared on the node, by driver, and of all drivers together for driver_name="<any>"',
        () =>
          Array.from(inUse(), ([driver, value]) => ({ labels: { driver_name: driver }, value })),
      );
    },
  };
}

async function measured<T>(
  work: () => Promise<T>,
  tell: { readonly done: () => void; readonly failed: (error: unknown) => void },
): Promise<T> {
  try {
    const result = await work();
    tell.done();
    return result;
  } catch (error) {
    tell.failed(error);
    throw error;
  }
}

/** gRPC's status codes by their numbers. */
const codes = [
  "OK",
  "Canceled",
  "Unknown",
  "InvalidArgument",
  "DeadlineExceeded",
  "NotFound",
  "AlreadyExists",
  "PermissionDenied",
  "ResourceExhausted",
  "FailedPrecondition",
  "Aborted",
  "OutOfRange",
  "Unimplemented",
  "Internal",
  "Unavailable",
  "DataLoss",
  "Unauthenticated",
];

/** What was given up before it was sent has no answer: it was canceled. */
function codeOf(error: unknown): string {
  return error instanceof GrpcError ? (codes[error.code] ?? `Code(${error.code})`) : "Canceled";
}
