import { GrpcError, type GrpcChannel, openGrpcChannel } from "#agent/containerd/grpc-channel.ts";
import { devicePluginTable } from "#agent/devices/device-messages.ts";

export interface PluginDevice {
  readonly id: string;
  readonly isHealthy: boolean;
  readonly numaNodes: readonly number[];
}

/** What a container gets with its devices, as a plugin said. */
export interface DeviceGrant {
  readonly envs: Readonly<Record<string, string>>;
  readonly mounts: readonly {
    readonly containerPath: string;
    readonly hostPath: string;
    readonly readOnly: boolean;
  }[];
  readonly devices: readonly {
    readonly containerPath: string;
    readonly hostPath: string;
    readonly permissions: string;
  }[];
  readonly annotations: Readonly<Record<string, string>>;
  readonly cdiDevices: readonly { readonly name: string }[];
}

interface Options {
  readonly preStartRequired: boolean;
  readonly getPreferredAllocationAvailable: boolean;
}

const connectTimeoutMs = 10_000;
/** A plugin that hangs must not keep pods waiting for ever. */
const callTimeoutMs = 30_000;

/** A connected plugin: one resource's devices. Every call ends in time, also when the plugin hangs. */
export class DevicePlugin implements Disposable {
  readonly #channel: GrpcChannel;
  readonly #stop = new AbortController();
  readonly #timeoutMs: number;
  readonly #options: Options;

  private constructor(channel: GrpcChannel, options: Options, timeoutMs: number) {
    this.#channel = channel;
    this.#options = options;
    this.#timeoutMs = timeoutMs;
  }

  static async connect(socket: string, timeoutMs = callTimeoutMs): Promise<DevicePlugin> {
    const channel = openGrpcChannel(socket, [devicePluginTable]);
    try {
      await channel.ready(connectTimeoutMs);
      const method = "v1beta1.DevicePlugin/GetDevicePluginOptions";
      const options = await channel.call<Options>(method, {}, { timeoutMs });
      return new DevicePlugin(channel, options, timeoutMs);
    } catch (error) {
      channel[Symbol.dispose]();
      throw error;
    }
  }

  /** Each list of all devices as it changes; ends when the plugin does or is let go of. */
  async *devices(): AsyncGenerator<readonly PluginDevice[]> {
    const lists = this.#channel.stream<{ devices: readonly WireDevice[] }>(
      "v1beta1.DevicePlugin/ListAndWatch",
      {},
      this.#stop.signal,
    );
    for await (const { devices } of lists) yield devices.map(deviceOf);
  }

  async allocate(ids: readonly string[]): Promise<DeviceGrant> {
    const { containerResponses } = await this.#call<{ containerResponses: DeviceGrant[] }>(
      "Allocate",
      { containerRequests: [{ devicesIds: ids }] },
    );
    const [grant] = containerResponses;
    if (grant === undefined) {
      throw new Error("no containers return in allocation response &AllocateResponse{}");
    }
    return grant;
  }

  /** The devices that the plugin would have rather; none where it does not care. */
  async preferred(wanted: {
    readonly available: readonly string[];
    readonly mustInclude: readonly string[];
    readonly size: number;
  }): Promise<readonly string[]> {
    if (!this.#options.getPreferredAllocationAvailable) return [];
    const { available: availableDeviceIDs, mustInclude: mustIncludeDeviceIDs, size } = wanted;
    const request = { availableDeviceIDs, mustIncludeDeviceIDs, allocationSize: size };
    try {
      const { containerResponses } = await this.#call<{
        containerResponses: { deviceIDs: string[] }[];
      }>("GetPreferredAllocation", { containerRequests: [request] });
      return containerResponses[0]?.deviceIDs ?? [];
    } catch (error) {
      const why = `device plugin GetPreferredAllocation rpc failed with err: ${rpcText(error)}`;
      throw new Error(why, { cause: error });
    }
  }

  /** Called before each start of a container that has such devices. */
  async preStart(ids: readonly string[]): Promise<void> {
    if (!this.#options.preStartRequired) return;
    try {
      await this.#call("PreStartContainer", { devicesIds: ids });
    } catch (error) {
      const why = `device plugin PreStartContainer rpc failed with err: ${rpcText(error)}`;
      throw new Error(why, { cause: error });
    }
  }

  [Symbol.dispose](): void {
    this.#stop.abort();
    this.#channel[Symbol.dispose]();
  }

  #call<T>(method: string, request: object): Promise<T> {
    const timeoutMs = this.#timeoutMs;
    return this.#channel.call<T>(`v1beta1.DevicePlugin/${method}`, request, { timeoutMs });
  }
}

interface WireDevice {
  readonly ID: string;
  readonly health: string;
  readonly topology: { readonly nodes: readonly { readonly ID: number }[] } | null;
}

function deviceOf({ ID, health, topology }: WireDevice): PluginDevice {
  const numaNodes = (topology?.nodes ?? []).map((node) => node.ID);
  return { id: ID, isHealthy: health === "Healthy", numaNodes };
}

const codeNames = (
  "OK Canceled Unknown InvalidArgument DeadlineExceeded NotFound AlreadyExists PermissionDenied ResourceExhausted " +
  "FailedPrecondition Aborted OutOfRange Unimplemented Internal Unavailable DataLoss Unauthenticated"
).split(" ");

/** A plugin's error as Go prints it: events show it so. */
export function rpcText(error: unknown): string {
  if (!(error instanceof GrpcError)) return error instanceof Error ? error.message : String(error);
  return `rpc error: code = ${codeNames[error.code] ?? error.code} desc = ${error.message}`;
}
