import { parseGoDuration } from "#base/go-duration.ts";
import { parseQuantity } from "#api/quantity.ts";

/**
 * How a node treats its pods and itself: the fields of upstream's `KubeletConfiguration` (`kubelet.config.k8s.io/v1beta1`)
 * that are heeded, by the same names, with the same defaults. Durations are Go's: `2m0s`.
 */
export interface NodeSettings {
  readonly maxPods: number;
  /** Processes that one pod may have; -1: as many as the node. */
  readonly podPidsLimit: number;
  /** One pull after another; else `maxParallelImagePulls` at once, 0: as many as there are. */
  readonly serializeImagePulls: boolean;
  readonly maxParallelImagePulls: number;
  readonly containerLogMaxSize: string;
  readonly containerLogMaxFiles: number;
  readonly containerLogMonitorInterval: string;
  readonly imageGCHighThresholdPercent: number;
  readonly imageGCLowThresholdPercent: number;
  readonly imageMinimumGCAge: string;
  /** Unused for so long, an image goes; "0s": never for that alone. */
  readonly imageMaximumGCAge: string;
  /** By signal (`memory.available`): a quantity, or a share of the whole in percent. */
  readonly evictionHard: Readonly<Record<string, string>>;
  readonly evictionSoft: Readonly<Record<string, string>>;
  readonly evictionSoftGracePeriod: Readonly<Record<string, string>>;
  readonly evictionMinimumReclaim: Readonly<Record<string, string>>;
  readonly evictionPressureTransitionPeriod: string;
  /** Seconds that a pod gets to end when a soft threshold evicts it. */
  readonly evictionMaxPodGracePeriod: number;
  /** What is kept from pods: `cpu`, `memory`, `ephemeral-storage`, `pid`. */
  readonly systemReserved: Readonly<Record<string, string>>;
  readonly kubeReserved: Readonly<Record<string, string>>;
  /** Processors (`0-1,4`) that exclusive ones are never taken from. */
  readonly reservedSystemCPUs: string;
  readonly cpuManagerPolicy: "none" | "static";
  /** Names of sysctls, or prefixes that end with `*`, that pods may set besides the safe ones. */
  readonly allowedUnsafeSysctls: readonly string[];
  /** A folder of pod manifests that run without the API; "": none. */
  readonly staticPodPath: string;
  readonly shutdownGracePeriod: string;
  readonly shutdownGracePeriodCriticalPods: string;
  readonly shutdownGracePeriodByPodPriority: readonly {
    readonly priority: number;
    readonly shutdownGracePeriodSeconds: number;
  }[];
}

export const usualSettings: NodeSettings = {
  maxPods: 110,
  podPidsLimit: -1,
  serializeImagePulls: true,
  maxParallelImagePulls: 0,
  containerLogMaxSize: "10Mi",
  containerLogMaxFiles: 5,
  containerLogMonitorInterval: "10s",
  imageGCHighThresholdPercent: 85,
  imageGCLowThresholdPercent: 80,
  imageMinimumGCAge: "2m0s",
  imageMaximumGCAge: "0s",
  evictionHard: {
    "imagefs.available": "15%",
    "imagefs.inodesFree": "5%",
    "memory.available": "100Mi",
    "nodefs.available": "10%",
    "nodefs.inodesFree": "5%",
  },
  evictionSoft: {},
  evictionSoftGracePeriod: {},
  evictionMinimumReclaim: {},
  evictionPressureTransitionPeriod: "5m0s",
  evictionMaxPodGracePeriod: 0,
  systemReserved: {},
  kubeReserved: {},
  reservedSystemCPUs: "",
  cpuManagerPolicy: "none",
  allowedUnsafeSysctls: [],
  staticPodPath: "",
  shutdownGracePeriod: "0s",
  shutdownGracePeriodCriticalPods: "0s",
  shutdownGracePeriodByPodPriority: [],
};

/** As upstream's `/configz` shows it. */
export function configurationOf(settings: NodeSettings): object {
  const { maxParallelImagePulls, ...others } = settings;
  return {
    apiVersion: "kubelet.config.k8s.io/v1beta1",
    kind: "KubeletConfiguration",
    cgroupDriver: "cgroupfs",
    ...others,
    ...(maxParallelImagePulls > 0 && { maxParallelImagePulls }),
  };
}

/** Milliseconds of a duration as Go writes it: `300ms`, `2m0s`, `1.5h`; of no text, 0. Throws for what is none. */
export function durationMs(text: string): number {
  const ms = text === "" ? 0 : parseGoDuration(text);
  if (ms === undefined || ms < 0)
    throw new Error(`Cannot read the duration "${text}": write it like 2m30s`);
  return ms;
}

export function quantityBytes(text: string): number {
  return Number(parseQuantity(text).nano) / 1e9;
}
