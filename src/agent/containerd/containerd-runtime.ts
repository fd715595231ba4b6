import type { Duplex } from "node:stream";
import { status as grpcStatus } from "@grpc/grpc-js";
import { type Clock } from "#base/clock.ts";
import { type Log, messageOf } from "#base/log.ts";
import { applyCdi } from "#agent/containerd/apply-cdi.ts";
import { cdiDirsOf } from "#agent/containerd/containerd-config.ts";
import { type RuntimeEvents, runtimeEvents } from "#agent/containerd/containerd-events.ts";
import type {
  CriContainer,
  CriContainerStats,
  CriContainerStatus,
  CriFilesystemUsage,
  CriImage,
  CriPodSandbox,
  CriSandboxStatus,
} from "#agent/containerd/cri-answers.ts";
import {
  containerStateOf,
  containerStatsOf,
  criContainerConfig,
  criResources,
  criSandboxConfig,
  imageInfoOf,
  sandboxOf,
} from "#agent/containerd/cri-convert.ts";
import { criTable } from "#agent/containerd/cri-messages.ts";
import { eventTable } from "#agent/containerd/event-messages.ts";
import { type ExecStarted, ExecTracker } from "#agent/containerd/exec-tracker.ts";
import { endsInTime, sendSignal } from "#agent/containerd/process-signals.ts";
import { type GrpcChannel, GrpcError, openGrpcChannel } from "#agent/containerd/grpc-channel.ts";
import { run } from "#agent/containerd/run.ts";
import { runtimeFeatures, takesCdi } from "#agent/containerd/runtime-features.ts";
import { createImageArchives } from "#agent/containerd/image-archives.ts";
import { createImageMounts } from "#agent/containerd/image-mounts.ts";
import { normaliseImage } from "#agent/images/image-name.ts";
import type {
  ContainerRuntime,
  ContainerState,
  ContainerStats,
  ImageArchives,
  ImageInfo,
  ImageMounts,
  RuntimeEvent,
  RuntimeFeatures,
  Sandbox,
  SandboxConfig,
} from "#agent/runtime/container-runtime.ts";
import type { AttachOptions, ExecOptions, ProcessStreams } from "#agent/streams/process-streams.ts";

export interface ConnectOptions {
  readonly socket: string;
  readonly clock: Clock;
  readonly log: Log;
  readonly streamClient: StreamClient;
  /** Where the cluster's own specifications of CDI devices lie, besides those of the machine. */
  readonly cdiDir?: string;
}

/** Opens the streaming URLs that CRI hands out for exec, attach and port-forward. */
export interface StreamClient {
  connectExec(url: string, options: ExecOptions): Promise<ProcessStreams>;
  connectAttach(
    url: string,
    options: AttachOptions & { readonly tty: boolean },
  ): Promise<ProcessStreams>;
  connectPortForward(url: string, port: number): Promise<Duplex>;
}

const connectTimeoutMs = 10_000;
const pullTimeoutMs = 30 * 60_000;
const execMarginMs = 5000;
const stopMarginMs = 30_000;

/** The runtime behind a CRI socket of containerd. Disposing of it only ends the connection. */
export async function connectContainerd(options: ConnectOptions): Promise<ContainerRuntime> {
  const channel = openGrpcChannel(options.socket, [criTable, eventTable]);
  try {
    await channel.ready(connectTimeoutMs);
  } catch (cause) {
    channel[Symbol.dispose]();
    throw new Error(`Cannot reach containerd at "${options.socket}"`, { cause });
  }
  const { runtimeName, runtimeVersion } = await channel.call<{
    runtimeName: string;
    runtimeVersion: string;
  }>("runtime.v1.RuntimeService/Version", {});
  const version = `${runtimeName}://${runtimeVersion.replace(/^v|~.*$/g, "")}`;
  const features = await runtimeFeatures(channel);
  const cdiDirs = takesCdi(runtimeVersion) ? undefined : cdiDirsOf(options.cdiDir);
  return new ContainerdRuntime({ version, features, cdiDirs }, channel, options);
}

/** The configurations of sandboxes are kept because each container of one must repeat them. */
class ContainerdRuntime implements ContainerRuntime {
  readonly version: string;
  readonly features: RuntimeFeatures;
  readonly imageMounts: ImageMounts;
  readonly imageArchives: ImageArchives;
  readonly #channel: GrpcChannel;
  readonly #socket: string;
  readonly #streamClient: StreamClient;
  readonly #events: RuntimeEvents;
  readonly #clock: Clock;
  /** Where CDI devices are told of; absent where containerd looks there itself. */
  readonly #cdiDirs: readonly string[] | undefined;
  readonly #execs: ExecTracker;
  readonly #sandboxConfigs = new Map<string, SandboxConfig>();
  readonly #stopping = new Map<string, Promise<unknown>>();

  constructor(
    facts: Pick<ContainerRuntime, "version" | "features"> & {
      readonly cdiDirs: readonly string[] | undefined;
    },
    channel: GrpcChannel,
    options: ConnectOptions,
  ) {
    this.version = facts.version;
    this.features = facts.features;
    this.#cdiDirs = facts.cdiDirs;
    this.imageMounts = createImageMounts(channel, options.socket);
    this.imageArchives = createImageArchives(channel, options.socket);
    this.#channel = channel;
    this.#socket = options.socket;
    this.#streamClient = options.streamClient;
    this.#clock = options.clock;
    this.#execs = new ExecTracker(options.clock);
    const containerState = (id: string) => this.containerState(id);
    const onExec = (started: ExecStarted): void => this.#execs.started(started);
    const ended = () => this.#endedContainers();
    this.#events = runtimeEvents({ ...options, channel, containerState, onExec, ended });
  }

  onEvent(listener: (event: RuntimeEvent) => void): Disposable {
    return this.#events.onEvent(listener);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#events[Symbol.asyncDispose]();
    this.#channel[Symbol.dispose]();
  }

  runSandbox = async (config: SandboxConfig, signal: AbortSignal): Promise<Sandbox> => {
    const { podSandboxId } = await this.#runtime<{ podSandboxId: string }>(
      "RunPodSandbox",
      { config: criSandboxConfig(config), runtimeHandler: config.runtimeHandler ?? "" },
      { signal, timeoutMs: 4 * 60_000 },
    );
    this.#sandboxConfigs.set(podSandboxId, config);
    return this.#sandbox(podSandboxId);
  };

  /** Who asks while it is being stopped gets the same answer: of two that take a network away, one fails. */
  stopSandbox = async (id: string): Promise<void> => {
    const known = this.#stopping.get(id);
    const stopping = known ?? unlessGone(this.#runtime("StopPodSandbox", { podSandboxId: id }));
    this.#stopping.set(id, stopping);
    try {
      await stopping;
    } finally {
      this.#stopping.delete(id);
    }
  };

  removeSandbox = async (id: string): Promise<void> => {
    await unlessGone(this.#runtime("RemovePodSandbox", { podSandboxId: id }));
    this.#sandboxConfigs.delete(id);
  };

  listSandboxes = async (): Promise<readonly Sandbox[]> => {
    const { items } = await this.#runtime<{ items: CriPodSandbox[] }>("ListPodSandbox", {});
    const sandboxes = await Promise.all(
      items.map(async (item) =>
        item.state === 0 ? this.#sandboxIfThere(item.id) : sandboxOf(item, []),
      ),
    );
    return sandboxes.filter((sandbox) => sandbox !== undefined);
  };

  createContainer: ContainerRuntime["createContainer"] = async (sandboxId, config) => {
    const sandbox = this.#sandboxConfigs.get(sandboxId) ?? (await this.#recall(sandboxId));
    const complete = this.#cdiDirs ? await applyCdi(config, this.#cdiDirs) : config;
    const { containerId } = await this.#runtime<{ containerId: string }>("CreateContainer", {
      podSandboxId: sandboxId,
      config: criContainerConfig(complete, sandbox),
      sandboxConfig: criSandboxConfig(sandbox),
    });
    return containerId;
  };

  startContainer = async (id: string): Promise<void> => {
    await this.#runtime("StartContainer", { containerId: id });
  };

  stopContainer: ContainerRuntime["stopContainer"] = async (id, graceSeconds, signal) => {
    if (signal !== undefined && graceSeconds > 0 && (await this.#signal(id, signal))) {
      const wait = { id, graceSeconds, events: this.#events, clock: this.#clock };
      if (await endsInTime(wait, () => this.containerState(id))) return;
      return this.stopContainer(id, 0);
    }
    await unlessGone(
      this.#runtime(
        "StopContainer",
        { containerId: id, timeout: graceSeconds },
        { timeoutMs: graceSeconds * 1000 + stopMarginMs },
      ),
    );
  };

  removeContainer = async (id: string): Promise<void> => {
    await unlessGone(this.#runtime("RemoveContainer", { containerId: id })).catch(
      async (error: unknown) => {
        // CRI was broken off as it started the container: it takes it for ended, its process runs. The next attempt to
        // remove it comes when that has ended.
        if (messageOf(error).includes("cannot delete running task"))
          await killTask(this.#socket, id);
        throw error;
      },
    );
  };

  async #endedContainers(): Promise<readonly string[]> {
    const { containers } = await this.#runtime<{ containers: CriContainer[] }>("ListContainers", {
      filter: { state: { state: "CONTAINER_EXITED" } },
    });
    return containers.map(({ id }) => id);
  }

  listContainers = async (): Promise<readonly ContainerState[]> => {
    const { containers } = await this.#runtime<{ containers: CriContainer[] }>(
      "ListContainers",
      {},
    );
    const states = await Promise.all(containers.map(({ id }) => this.containerState(id)));
    return states.filter((state) => state !== undefined);
  };

  containerState = async (id: string): Promise<ContainerState | undefined> => {
    const answer = await unlessGone(this.#verboseStatus(id));
    if (answer === undefined) return undefined;
    const info = JSON.parse(answer.info["info"] ?? "{}") as { sandboxID?: string };
    return containerStateOf(answer.status, info.sandboxID ?? "");
  };

  updateContainer: ContainerRuntime["updateContainer"] = async (id, resources) => {
    const request = { containerId: id, linux: criResources(resources) };
    await this.#runtime("UpdateContainerResources", request);
  };

  reopenLog = async (id: string): Promise<void> => {
    await this.#runtime("ReopenContainerLog", { containerId: id });
  };

  containerStats = async (): Promise<readonly ContainerStats[]> => {
    const { stats } = await this.#runtime<{ stats: CriContainerStats[] }>("ListContainerStats", {});
    return stats.map(containerStatsOf).filter((one) => one !== undefined);
  };

  imageFilesystem: ContainerRuntime["imageFilesystem"] = async () => {
    const { imageFilesystems } = await this.#image<{ imageFilesystems: CriFilesystemUsage[] }>(
      "ImageFsInfo",
      {},
    );
    const [first] = imageFilesystems;
    const path = first?.fsId?.mountpoint;
    const sum = (field: "usedBytes" | "inodesUsed"): number =>
      imageFilesystems.reduce((total, one) => total + (one[field]?.value ?? 0), 0);
    return { ...(path && { path }), usedBytes: sum("usedBytes"), inodesUsed: sum("inodesUsed") };
  };

  /** CRI takes a stop signal only since containerd 2: the container's first process gets it from here. */
  async #signal(id: string, signal: string): Promise<boolean> {
    const answer = await unlessGone(this.#verboseStatus(id));
    const { pid } = JSON.parse(answer?.info["info"] ?? "{}") as { pid?: number };
    return pid !== undefined && pid > 0 && sendSignal(pid, signal);
  }

  exec: ContainerRuntime["exec"] = async (containerId, options) => {
    const { command, ...streams } = options;
    const { url } = await this.#runtime<{ url: string }>("Exec", {
      containerId,
      cmd: command,
      ...streams,
    });
    return this.#execs.run(containerId, () => this.#streamClient.connectExec(url, options));
  };

  attach: ContainerRuntime["attach"] = async (containerId, options) => {
    const { url } = await this.#runtime<{ url: string }>("Attach", { containerId, ...options });
    return this.#streamClient.connectAttach(url, options);
  };

  portForward: ContainerRuntime["portForward"] = async (sandboxId, port) => {
    const request = { podSandboxId: sandboxId, port: [port] };
    const { url } = await this.#runtime<{ url: string }>("PortForward", request);
    return this.#streamClient.connectPortForward(url, port);
  };

  execSync: ContainerRuntime["execSync"] = async (containerId, command, timeoutMs) => {
    const request = { containerId, cmd: command, timeout: Math.ceil(timeoutMs / 1000) };
    const options = { timeoutMs: timeoutMs + execMarginMs };
    const { stdout, stderr, exitCode } = await this.#execs.call(containerId, () =>
      this.#runtime<ExecSyncAnswer>("ExecSync", request, options),
    );
    return { exitCode, output: Buffer.concat([stdout, stderr]).toString() };
  };

  imageStatus = async (image: string): Promise<ImageInfo | undefined> => {
    const answer = await this.#image<{ image: CriImage | null }>("ImageStatus", {
      image: { image: normaliseImage(image) },
    });
    return answer.image ? imageInfoOf(answer.image) : undefined;
  };

  pullImage: ContainerRuntime["pullImage"] = async (image, credentials, signal) => {
    await this.#image(
      "PullImage",
      { image: { image: normaliseImage(image) }, ...(credentials && { auth: credentials }) },
      { signal, timeoutMs: pullTimeoutMs },
    );
    const found = await this.imageStatus(image);
    if (found === undefined) throw new Error(`Cannot find image "${image}" after pulling it`);
    return found;
  };

  listImages = async (): Promise<readonly ImageInfo[]> => {
    const { images } = await this.#image<{ images: CriImage[] }>("ListImages", {});
    return images.map(imageInfoOf);
  };

  removeImage = async (image: string): Promise<void> => {
    await this.#image("RemoveImage", { image: { image: normaliseImage(image) } });
  };

  async #sandbox(id: string): Promise<Sandbox> {
    const { status } = await this.#runtime<{ status: CriSandboxStatus }>("PodSandboxStatus", {
      podSandboxId: id,
    });
    const { network } = status;
    const ips = [network?.ip ?? "", ...(network?.additionalIps ?? []).map(({ ip }) => ip)];
    return sandboxOf(status, ips.filter(Boolean));
  }

  #verboseStatus(
    id: string,
  ): Promise<{ status: CriContainerStatus; info: Record<string, string> }> {
    return this.#runtime("ContainerStatus", { containerId: id, verbose: true });
  }

  #sandboxIfThere(id: string): Promise<Sandbox | undefined> {
    return unlessGone(this.#sandbox(id));
  }

  /** After a restart of the agent: containerd remembers the configuration it was given. */
  async #recall(sandboxId: string): Promise<SandboxConfig> {
    const { info } = await this.#runtime<{ info: Record<string, string> }>("PodSandboxStatus", {
      podSandboxId: sandboxId,
      verbose: true,
    });
    const { config } = JSON.parse(info["info"] ?? "{}") as { config?: RememberedConfig };
    if (config === undefined) throw new Error(`Cannot read the sandbox "${sandboxId}"`);
    const recalled = recalledConfig(config);
    this.#sandboxConfigs.set(sandboxId, recalled);
    return recalled;
  }

  #runtime<Answer>(method: string, request: object, options?: Call): Promise<Answer> {
    return this.#channel.call(`runtime.v1.RuntimeService/${method}`, request, options);
  }

  #image<Answer>(method: string, request: object, options?: Call): Promise<Answer> {
    return this.#channel.call(`runtime.v1.ImageService/${method}`, request, options);
  }
}

interface ExecSyncAnswer {
  readonly stdout: Uint8Array;
  readonly stderr: Uint8Array;
  readonly exitCode: number;
}

interface Call {
  readonly signal?: AbortSignal;
  readonly timeoutMs?: number;
}

/** `PodSandboxConfig` as containerd prints it: field names of the protocol, absent where zero. */
interface RememberedConfig {
  readonly metadata?: Partial<Pick<SandboxConfig, "name" | "namespace" | "uid" | "attempt">>;
  readonly hostname?: string;
  readonly log_directory?: string;
  readonly dns_config?: Partial<SandboxConfig["dns"]>;
  readonly labels?: Record<string, string>;
  readonly annotations?: Record<string, string>;
  readonly linux?: {
    readonly cgroup_parent?: string;
    readonly sysctls?: Record<string, string>;
    readonly security_context?: {
      readonly namespace_options?: { network?: number; pid?: number; ipc?: number };
      readonly privileged?: boolean;
    };
  };
}

const nodeMode = 2;

function recalledConfig(config: RememberedConfig): SandboxConfig {
  const namespaces = config.linux?.security_context?.namespace_options ?? {};
  return {
    name: config.metadata?.name ?? "",
    namespace: config.metadata?.namespace ?? "",
    uid: config.metadata?.uid ?? "",
    attempt: config.metadata?.attempt ?? 0,
    hostname: config.hostname ?? "",
    logDirectory: config.log_directory ?? "",
    dns: {
      servers: config.dns_config?.servers ?? [],
      searches: config.dns_config?.searches ?? [],
      options: config.dns_config?.options ?? [],
    },
    hostNetwork: namespaces.network === nodeMode,
    hostPid: namespaces.pid === nodeMode,
    hostIpc: namespaces.ipc === nodeMode,
    // Zero, which is left out, means that the pod's containers share one.
    shareProcessNamespace: (namespaces.pid ?? 0) === 0,
    privileged: config.linux?.security_context?.privileged ?? false,
    labels: config.labels ?? {},
    annotations: config.annotations ?? {},
    portMappings: [],
    sysctls: config.linux?.sysctls ?? {},
    cgroupParent: config.linux?.cgroup_parent ?? "",
  };
}

async function unlessGone<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof GrpcError && error.code === grpcStatus.NOT_FOUND) return undefined;
    throw error;
  }
}

async function killTask(socket: string, id: string): Promise<void> {
  const ctr = [
    "--address",
    socket,
    "--namespace",
    "k8s.io",
    "tasks",
    "kill",
    "--signal",
    "SIGKILL",
  ];
  await run("ctr", [...ctr, id]);
}
