import type { Pod } from "#api/generated/types.ts";
import { uidOf } from "#api/meta.ts";
import { type Log, messageOf } from "#base/log.ts";
import type { CpuManager } from "#agent/cpus/cpu-manager.ts";
import { shareCpus } from "#agent/cpus/share-cpus.ts";
import type { DeviceManager } from "#agent/devices/device-manager.ts";
import type { Pressure } from "#agent/eviction/thresholds.ts";
import type { NodeSettings } from "#agent/node/node-settings.ts";
import { admitPod, answerResize } from "#agent/pods/admit-pod.ts";
import type { PodEnd } from "#agent/pods/pod-observation.ts";
import type { ResizeAnswer } from "#agent/pods/resize-told.ts";
import type { RuntimeView } from "#agent/pods/runtime-view.ts";
import type { ContainerRuntime } from "#agent/runtime/container-runtime.ts";

export interface NodeGateParts {
  readonly runtime: ContainerRuntime;
  readonly view: RuntimeView;
  readonly log: Log;
  readonly settings: NodeSettings;
  readonly hasAppArmor: boolean;
  readonly allocatable: Readonly<Record<string, string>>;
  readonly cpus?: CpuManager;
  readonly devices?: DeviceManager;
  /** The pods that the node has taken already, without this one. */
  readonly others: (pod: Pod) => readonly Pod[];
}

/** Decides which pods the node takes and what they get of it, and gives back what they had. */
export class NodeGate {
  readonly #parts: NodeGateParts;
  /** What the node is short of. */
  pressures: ReadonlySet<Pressure> = new Set();
  /** Why no pod is taken any more. */
  refusal: PodEnd | undefined;

  constructor(parts: NodeGateParts) {
    this.#parts = parts;
  }

  /** Why the pod must not run, in upstream's words; undefined when it has all that it asks for. */
  async admit(pod: Pod): Promise<PodEnd | undefined> {
    const { runtime, settings, hasAppArmor, allocatable, others, devices } = this.#parts;
    const { refusal, pressures } = this;
    const { allowedUnsafeSysctls } = settings;
    const security = { ...runtime.features, hasAppArmor, allowedUnsafeSysctls };
    const facts = { refusal, pressures, security, others: others(pod), allocatable };
    const refused = admitPod(pod, facts);
    if (refused) return refused;
    try {
      this.#takeCpus(pod);
      await devices?.allocate(pod);
      return undefined;
    } catch (error) {
      const why = error instanceof Error ? error.message : messageOf(error);
      const message = `Allocate failed due to ${why}, which is unexpected`;
      return { reason: "UnexpectedAdmissionError", message };
    }
  }

  /** `granted` is the pod with the resources that it has been promised so far. */
  answerResize(pod: Pod, granted: Pod): ResizeAnswer {
    const { allocatable, others, settings } = this.#parts;
    const { cpuManagerPolicy } = settings;
    return answerResize(pod, { granted, others: others(pod), allocatable, cpuManagerPolicy });
  }

  /** A pod will not run any more. */
  release(pod: Pod): void {
    const { cpus, devices } = this.#parts;
    if (cpus?.release(uidOf(pod))) this.#moveShared(cpus);
    devices?.release(uidOf(pod));
  }

  /** Only these pods have anything: others went while no agent ran. */
  keepOnly(pods: readonly Pod[]): void {
    const uids = new Set(pods.map(uidOf));
    this.#parts.devices?.keepOnly(uids);
    this.#parts.cpus?.keepOnly(uids);
  }

  #takeCpus(pod: Pod): void {
    const { cpus } = this.#parts;
    if (cpus === undefined) return;
    cpus.allocate(pod);
    this.#moveShared(cpus);
  }

  /** Who shares processors runs on fewer or more now. */
  #moveShared(cpus: CpuManager): void {
    void shareCpus({ ...this.#parts, cpus });
  }
}
