import { type GrpcChannel, GrpcError, openGrpcChannel } from "#agent/containerd/grpc-channel.ts";
import { rpcText } from "#agent/devices/device-plugin.ts";
import type { ClaimMetrics } from "#agent/dynamic-resources/claim-metrics.ts";
import {
  draHealthTable,
  draPackage,
  type DraService,
  draTable,
} from "#agent/dynamic-resources/dra-messages.ts";

/** A claim as plugins are told of it. */
export interface ClaimReference {
  readonly namespace: string;
  readonly uid: string;
  readonly name: string;
}

/** A device of a prepared claim, as its driver says. */
export interface PreparedDevice {
  /** The requests of the claim that it is for; none: all. */
  readonly requestNames: readonly string[];
  readonly poolName: string;
  readonly deviceName: string;
  readonly cdiDeviceIds: readonly string[];
  readonly shareId?: string;
}

export interface ReportedHealth {
  readonly poolName: string;
  readonly deviceName: string;
  readonly health: "Healthy" | "Unhealthy" | "Unknown";
  readonly message: string;
  /** For how long this counts; 0 or less: as long as usual. */
  readonly timeoutSeconds: number;
}

/** What the node asks of a plugin. Every call ends in time and throws with upstream's texts. */
export interface DraCalls {
  /** Devices by the uid of their claim: of all of them. */
  prepare(
    claims: readonly ClaimReference[],
    signal: AbortSignal | undefined,
  ): Promise<ReadonlyMap<string, readonly PreparedDevice[]>>;
  unprepare(claims: readonly ClaimReference[]): Promise<void>;
}

export interface DraPluginOptions {
  readonly driver: string;
  readonly endpoint: string;
  readonly service: DraService;
  readonly metrics: ClaimMetrics;
  /** Default: 45 seconds. */
  readonly callTimeoutMs?: number;
}

/** Half of upstream's time between two tries. */
const usualTimeoutMs = 45_000;
const unimplemented = 12;

/** The connection to one plugin of a driver; it is made when it is needed, and again when it broke. */
export class DraPlugin implements DraCalls, Disposable {
  readonly endpoint: string;
  readonly #driver: string;
  readonly #metrics: ClaimMetrics;
  readonly #channel: GrpcChannel;
  readonly #package: string;
  readonly #timeoutMs: number;
  readonly #stop = new AbortController();

  constructor({ driver, endpoint, service, metrics, callTimeoutMs }: DraPluginOptions) {
    this.endpoint = endpoint;
    this.#driver = driver;
    this.#metrics = metrics;
    this.#package = draPackage(service);
    this.#timeoutMs = callTimeoutMs ?? usualTimeoutMs;
    this.#channel = openGrpcChannel(endpoint, [draTable(service), draHealthTable]);
  }

  /** Calls back with whether the plugin is there, now and whenever that changes. */
  followConnection(listener: (isConnected: boolean) => void): void {
    this.#channel.followConnection(listener);
  }

  async prepare(
    claims: readonly ClaimReference[],
    signal: AbortSignal | undefined,
  ): Promise<ReadonlyMap<string, readonly PreparedDevice[]>> {
    const method = "NodePrepareResources";
    const answers = await this.#call<{ devices: WireDevice[]; error: string }>(
      method,
      claims,
      signal,
    );
    return new Map([...answers].map(([uid, { devices }]) => [uid, devices.map(deviceOf)]));
  }

  async unprepare(claims: readonly ClaimReference[]): Promise<void> {
    await this.#call("NodeUnprepareResources", claims, undefined);
  }

  /** Each report of all devices; ends when the plugin does or is let go of, and at once when it gives none. */
  async *health(): AsyncGenerator<readonly ReportedHealth[]> {
    const reports = this.#channel.stream<{ devices: readonly WireHealth[] }>(
      "v1alpha1.DRAResourceHealth/NodeWatchResources",
      {},
      this.#stop.signal,
    );
    for await (const { devices } of reports) yield devices.map(healthOf);
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#channel[Symbol.dispose]();
  }

  async #call<T extends { readonly error: string }>(
    method: string,
    claims: readonly ClaimReference[],
    signal: AbortSignal | undefined,
  ): Promise<ReadonlyMap<string, T>> {
    const path = `${this.#package}.DRAPlugin/${method}`;
    const options = { timeoutMs: this.#timeoutMs, ...(signal && { signal }) };
    const answer = await this.#metrics
      .call({ driver: this.#driver, method: `/${path}` }, () =>
        this.#channel.call<{ claims: Readonly<Record<string, T>> }>(path, { claims }, options),
      )
      .catch((error: unknown) => {
        throw new Error(`${method}: ${rpcText(error)}`, { cause: error });
      });
    const answers = new Map(Object.entries(answer.claims));
    checkAnswers(method, claims, answers);
    return answers;
  }
}

/** Whether a plugin does not tell how well its devices are. */
export function tellsNoHealth(error: unknown): boolean {
  return error instanceof GrpcError && error.code === unimplemented;
}

function checkAnswers(
  method: string,
  claims: readonly ClaimReference[],
  answers: ReadonlyMap<string, { readonly error: string }>,
): void {
  for (const [uid, { error }] of answers) {
    const claim = claims.find((one) => one.uid === uid);
    if (claim === undefined) {
      throw new Error(`${method} returned result for unknown claim UID ${uid}`);
    }
    if (error !== "") throw new Error(`${method} failed for ResourceClaim ${claim.name}: ${error}`);
  }
  const left = claims.length - answers.size;
  if (left !== 0) throw new Error(`${method} skipped ${left} ResourceClaims`);
}

type WireDevice = PreparedDevice & { readonly shareId: string };

function deviceOf({ shareId, ...device }: WireDevice): PreparedDevice {
  return { ...device, ...(shareId !== "" && { shareId }) };
}

interface WireHealth {
  readonly device: { readonly poolName: string; readonly deviceName: string } | null;
  readonly health: number;
  readonly healthCheckTimeoutSeconds: number;
  readonly message: string;
}

const healths = ["Unknown", "Healthy", "Unhealthy"] as const;

function healthOf({
  device,
  health,
  healthCheckTimeoutSeconds,
  message,
}: WireHealth): ReportedHealth {
  return {
    poolName: device?.poolName ?? "",
    deviceName: device?.deviceName ?? "",
    health: healths[health] ?? "Unknown",
    message,
    timeoutSeconds: healthCheckTimeoutSeconds,
  };
}
