import type { Duplex, Readable } from "node:stream";
import type { AttachOptions, ExecOptions, ProcessStreams } from "#agent/streams/process-streams.ts";

/**
 * What runs containers on a node. Implementations: containerd over CRI, and a simulation. Shapes follow CRI
 * (`runtime.v1`) where a name exists there. All implementations pass `containerRuntimeConformance`.
 */
export interface ContainerRuntime extends AsyncDisposable {
  /** As shown in `node.status.nodeInfo.containerRuntimeVersion`: `containerd://1.6.20`. */
  readonly version: string;
  readonly features: RuntimeFeatures;

  runSandbox(config: SandboxConfig, signal: AbortSignal): Promise<Sandbox>;
  /** Ends every container in it and frees its network. Harmless when already stopped. */
  stopSandbox(id: string): Promise<void>;
  removeSandbox(id: string): Promise<void>;
  /** All sandboxes of this node, running or not. */
  listSandboxes(): Promise<readonly Sandbox[]>;

  createContainer(sandboxId: string, config: ContainerConfig): Promise<string>;
  startContainer(id: string): Promise<void>;
  /** `signal` (`SIGUSR1`; default: the image's stop signal, or SIGTERM), then SIGKILL after `graceSeconds`. */
  stopContainer(id: string, graceSeconds: number, signal?: string): Promise<void>;
  removeContainer(id: string): Promise<void>;
  listContainers(): Promise<readonly ContainerState[]>;
  containerState(id: string): Promise<ContainerState | undefined>;

  /** Gives a running container other limits without touching its processes. */
  updateContainer(id: string, resources: Resources): Promise<void>;
  /** The log file was moved away: what is written from now on goes to a new one of the old name. */
  reopenLog(id: string): Promise<void>;
  /** What each running container uses at this moment. */
  containerStats(): Promise<readonly ContainerStats[]>;
  /** Where images and the containers' own layers lie, and what they take there. */
  imageFilesystem(): Promise<ImageFilesystem>;
  /** A pod's annotations have changed: simulated containers behave by those (prefix as in `simulation`). */
  simulate?(id: string, simulation: Readonly<Record<string, string>>): void;

  /** Each start, end and removal as it happens; never polled for. */
  onEvent(listener: (event: RuntimeEvent) => void): Disposable;

  exec(containerId: string, options: ExecOptions): Promise<ProcessStreams>;
  attach(
    containerId: string,
    options: AttachOptions & { readonly tty: boolean },
  ): Promise<ProcessStreams>;
  portForward(sandboxId: string, port: number): Promise<Duplex>;
  /** Runs a command to its end, as probes and hooks do. Rejects when it did not end in time. */
  execSync(
    containerId: string,
    command: readonly string[],
    timeoutMs: number,
  ): Promise<{ readonly exitCode: number; readonly output: string }>;
  /** Whether a container is well, where its ports cannot be reached: then this stands for all of its probes. */
  probe?(containerId: string): Promise<{ readonly ok: boolean; readonly output: string }>;
  /** A container's output, where it is not in files below the log directory: one CRI log line each, as it comes. */
  readLog?(containerId: string, signal: AbortSignal, follow: boolean): AsyncIterable<string>;

  /** The image's id when it is here. */
  imageStatus(image: string): Promise<ImageInfo | undefined>;
  pullImage(
    image: string,
    credentials: RegistryCredentials | undefined,
    signal: AbortSignal,
  ): Promise<ImageInfo>;
  listImages(): Promise<readonly ImageInfo[]>;
  removeImage(image: string): Promise<void>;
  /** Absent where images cannot be shown as folders of the node. */
  readonly imageMounts?: ImageMounts;
  /** Absent where images have no bytes, as simulated ones. */
  readonly imageArchives?: ImageArchives;
}

export interface ImageArchives {
  /**
   * One image under these of its names as an OCI archive (`io.containerd.image.name` in its index), as it is read. It
   * ends with an error when it is not whole.
   */
  export(names: readonly string[]): Readable;
  /**
   * Takes an OCI archive of an image with these names. Where that fails, or the archive ends with an error, no name is
   * left that was not there before.
   */
  import(archive: AsyncIterable<Uint8Array>, names: readonly string[]): Promise<void>;
}

export interface ImageMounts {
  /** Shows the files of an image that is here at a folder that is there, read-only, also when the image is removed. */
  mount(image: string, target: string): Promise<void>;
  /** Harmless when nothing is mounted there. */
  unmount(target: string): Promise<void>;
}

export interface RuntimeFeatures {
  /** Groups that an image names can be kept from a container (`supplementalGroupsPolicy: Strict`). */
  readonly supplementalGroupsPolicy: boolean;
  /** What is mounted below a read-only mount can be made read-only too. */
  readonly recursiveReadOnly?: boolean;
}

export interface SandboxConfig {
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  /** Which start of the sandbox this is, from 0. */
  readonly attempt: number;
  readonly hostname: string;
  readonly logDirectory: string;
  readonly dns: {
    readonly servers: readonly string[];
    readonly searches: readonly string[];
    readonly options: readonly string[];
  };
  readonly hostNetwork: boolean;
  readonly hostPid: boolean;
  readonly hostIpc: boolean;
  readonly shareProcessNamespace: boolean;
  /** One of its containers is: the sandbox must allow it. */
  readonly privileged?: boolean;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly portMappings: readonly {
    readonly containerPort: number;
    readonly hostPort: number;
    readonly protocol: string;
    readonly hostIp: string;
  }[];
  readonly sysctls: Readonly<Record<string, string>>;
  readonly cgroupParent?: string;
  /** Which of the runtime's handlers runs it; "" or absent: the usual one. */
  readonly runtimeHandler?: string;
}

export interface Sandbox {
  readonly id: string;
  readonly name: string;
  readonly namespace: string;
  readonly uid: string;
  readonly attempt: number;
  readonly state: "ready" | "not-ready";
  readonly createdMs: number;
  /** Addresses in the pod network, the primary first; empty with the host's network. */
  readonly ips: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
}

export interface ContainerConfig {
  readonly name: string;
  readonly attempt: number;
  /** The image's id or reference, present on this node. */
  readonly image: string;
  readonly command: readonly string[];
  readonly args: readonly string[];
  readonly workingDir: string;
  readonly env: readonly { readonly name: string; readonly value: string }[];
  readonly mounts: readonly Mount[];
  /** Device files of the node; `permissions` are some of `rwm`. */
  readonly devices?: readonly {
    readonly containerPath: string;
    readonly hostPath: string;
    readonly permissions: string;
  }[];
  /** Names of the Container Device Interface: `vendor.com/class=name`. */
  readonly cdiDevices?: readonly string[];
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  /** Relative to the sandbox's log directory. */
  readonly logPath: string;
  readonly stdin: boolean;
  readonly stdinOnce: boolean;
  readonly tty: boolean;
  readonly resources: Resources;
  readonly security: ContainerSecurity;
  /** The id of the container whose processes it sees and may signal. */
  readonly processesOf?: string;
  /** For simulated containers only: how they behave (annotations of the pod, prefixed `simulated.kogge.dev/`). */
  readonly simulation?: Readonly<Record<string, string>>;
}

export interface Mount {
  readonly hostPath: string;
  readonly containerPath: string;
  readonly readOnly: boolean;
  /** Also what is mounted below it. */
  readonly recursiveReadOnly?: boolean;
  readonly propagation: "private" | "host-to-container" | "bidirectional";
}

export interface Resources {
  readonly cpuShares?: number;
  readonly cpuQuotaUs?: number;
  readonly cpuPeriodUs?: number;
  readonly memoryLimitBytes?: number;
  readonly oomScoreAdj?: number;
  /** Bytes by page size as control groups name it: `2MB`. */
  readonly hugePageLimits?: Readonly<Record<string, number>>;
  /** Processors that it may run on: `0,2-3`. */
  readonly cpus?: string;
}

export interface ContainerSecurity {
  readonly privileged: boolean;
  readonly readOnlyRootFilesystem: boolean;
  readonly noNewPrivileges: boolean;
  readonly runAsUser?: number;
  readonly runAsGroup?: number;
  readonly runAsUserName?: string;
  readonly supplementalGroups: readonly number[];
  /** Groups that the image names for its user do not count. */
  readonly strictGroups?: boolean;
  /** Nothing of `/proc` is hidden or read-only. */
  readonly unmasked?: boolean;
  /** Absent: as the runtime does; "": none. */
  readonly appArmorProfile?: string;
  readonly addCapabilities: readonly string[];
  readonly dropCapabilities: readonly string[];
  readonly seccomp:
    | { readonly kind: "runtime-default" | "unconfined" }
    | { readonly kind: "localhost"; readonly path: string };
}

export interface ContainerState {
  readonly id: string;
  readonly sandboxId: string;
  readonly name: string;
  readonly attempt: number;
  readonly state: "created" | "running" | "exited" | "unknown";
  readonly image: string;
  readonly imageId: string;
  readonly createdMs: number;
  readonly startedMs: number;
  readonly finishedMs: number;
  readonly exitCode: number;
  /** `Completed`, `Error`, `OOMKilled`, … */
  readonly reason: string;
  readonly message: string;
  readonly logPath: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
}

export interface ContainerStats {
  readonly id: string;
  readonly timeMs: number;
  /** Of all its life. */
  readonly cpuNanoseconds: number;
  /** What cannot be taken from it: without the file cache that is not in use. */
  readonly workingSetBytes: number;
  readonly usageBytes?: number;
  readonly rssBytes?: number;
  readonly pageFaults?: number;
  readonly majorPageFaults?: number;
  /** What it wrote into its own file system. */
  readonly writtenBytes?: number;
  readonly writtenInodes?: number;
}

export interface ImageFilesystem {
  /** A folder on it. Absent: images take no space, as simulated ones. */
  readonly path?: string;
  readonly usedBytes: number;
  readonly inodesUsed: number;
}

export interface RuntimeEvent {
  readonly kind:
    | "container-started"
    | "container-exited"
    | "container-removed"
    | "sandbox-stopped"
    | "images-changed"
    | "runtime-lost"
    | "runtime-back";
  readonly containerId?: string;
  readonly sandboxId?: string;
}

export interface ImageInfo {
  readonly id: string;
  readonly tags: readonly string[];
  readonly digests: readonly string[];
  readonly sizeBytes: number;
  /** The user the image runs as, where it names one. */
  readonly user: string;
}

/** For the registry that the image names, and no other. */
export interface RegistryCredentials {
  readonly username: string;
  readonly password: string;
}
