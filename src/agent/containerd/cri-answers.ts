/** The answers of CRI that are read, as the channel decodes them: every scalar is set, enumerations are numbers. */

export interface CriPodSandbox {
  readonly id: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace: string;
    readonly uid: string;
    readonly attempt: number;
  } | null;
  /** 0 is ready. */
  readonly state: number;
  /** Nanoseconds since the epoch, rounded to what a double holds. */
  readonly createdAt: number;
  readonly labels: Readonly<Record<string, string>>;
}

export interface CriSandboxStatus extends CriPodSandbox {
  readonly network: {
    readonly ip: string;
    readonly additionalIps: readonly { ip: string }[];
  } | null;
}

export interface CriContainerStatus {
  readonly id: string;
  readonly metadata: { readonly name: string; readonly attempt: number } | null;
  readonly state: number;
  readonly createdAt: number;
  readonly startedAt: number;
  readonly finishedAt: number;
  readonly exitCode: number;
  readonly image: { readonly image: string } | null;
  readonly imageRef: string;
  readonly reason: string;
  readonly message: string;
  readonly labels: Readonly<Record<string, string>>;
  readonly annotations: Readonly<Record<string, string>>;
  readonly logPath: string;
}

export interface CriContainer {
  readonly id: string;
  readonly podSandboxId: string;
}

export interface CriImage {
  readonly id: string;
  readonly repoTags: readonly string[];
  readonly repoDigests: readonly string[];
  readonly size: number;
  readonly uid: { readonly value: number } | null;
  readonly username: string;
}

interface CriNumber {
  readonly value: number;
}

export interface CriFilesystemUsage {
  readonly fsId: { readonly mountpoint: string } | null;
  readonly usedBytes: CriNumber | null;
  readonly inodesUsed: CriNumber | null;
}

export interface CriContainerStats {
  readonly attributes: { readonly id: string } | null;
  readonly cpu: {
    readonly timestamp: number;
    readonly usageCoreNanoSeconds: CriNumber | null;
  } | null;
  readonly memory: {
    readonly workingSetBytes: CriNumber | null;
    readonly usageBytes: CriNumber | null;
    readonly rssBytes: CriNumber | null;
    readonly pageFaults: CriNumber | null;
    readonly majorPageFaults: CriNumber | null;
  } | null;
  readonly writableLayer: CriFilesystemUsage | null;
}
