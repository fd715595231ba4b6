import type { Node, Pod } from "#api/generated/types.ts";
import { uidOf } from "#api/meta.ts";
import { type Log, messageOf } from "#base/log.ts";
import type { CpuManager } from "#agent/cpus/cpu-manager.ts";
import { shareCpus } from "#agent/cpus/share-cpus.ts";
import type { DeviceManager } from "#agent/devices/device-manager.ts";
import type { Pressure } from "#agent/eviction/thresholds.ts";
import type { NodeSettings } from "#agent/node/node-settings.ts";
import { isCritical } from "#agent/eviction/rank-pods.ts";
import { admitPod, answerResize } from "#agent/pods/admit-pod.ts";
import { dependsOnNode } from "#agent/pods/node-predicates.ts";
import type { PodEnd } from "#agent/pods/pod-observation.ts";
import { choosePreempted, preemptedEnd } from "#agent/pods/preemption.ts";
import { shortagesOf } from "#agent/pods/room.ts";
import type { ResizeAnswer } from "#agent/pods/resize-told.ts";
import type { RuntimeView } from "#agent/pods/runtime-view.ts";
import type { ContainerRuntime } from "#agent/runtime/container-runtime.ts";
import type { EventRecorder } from "#reconcile/event-recorder.ts";

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
  readonly recorder: EventRecorder;
  /** The operating system: `linux`. */
  readonly system: string;
  /** The node's object as it was last seen, and as the API has it now. */
  readonly node: () => Node;
  readonly refreshNode: () => Promise<Node>;
  /** Ends a pod; resolves once nothing of it runs. */
  readonly end: (pod: Pod, end: PodEnd) => Promise<void>;
}

/** Decides which pods the node takes and what they get of it, and gives back what they had. */
export class NodeGate {
  readonly #parts: NodeGateParts;
  /** The uids of pods that end to make room, which is promised already. */
  readonly #leaving = new Set<string>();
  /** What the node is short of. */
  pressures: ReadonlySet<Pressure> = new Set();
  /** Why no pod is taken any more. */
  refusal: PodEnd | undefined;

  constructor(parts: NodeGateParts) {
    this.#parts = parts;
  }

  /** Why the pod must not run, in upstream's words; undefined when it has all that it asks for. */
  async admit(pod: Pod): Promise<PodEnd | undefined> {
    const refused = (await this.#judge(pod)) ?? (await this.#makeRoom(pod));
    if (refused) return refused;
    try {
      this.#takeCpus(pod);
      await this.#parts.devices?.allocate(pod);
      return undefined;
    } catch (error) {
      const why = error instanceof Error ? error.message : messageOf(error);
      return unexpected(`Allocate failed due to ${why}, which is unexpected`);
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

  /** The node's object is asked for only where what is known of it speaks against the pod. */
  async #judge(pod: Pod): Promise<PodEnd | undefined> {
    const { node, refreshNode, log } = this.#parts;
    const found = this.#judgeBy(node(), pod);
    if (found === undefined || !dependsOnNode(found)) return found;
    try {
      return this.#judgeBy(await refreshNode(), pod);
    } catch (error) {
      log.warn("node not read for a pod's admission", { reason: messageOf(error) });
      return found;
    }
  }

  #judgeBy(node: Node, pod: Pod): PodEnd | undefined {
    const { runtime, settings, hasAppArmor, allocatable, others, system } = this.#parts;
    const { refusal, pressures } = this;
    const { allowedUnsafeSysctls } = settings;
    const security = { ...runtime.features, hasAppArmor, allowedUnsafeSysctls };
    const facts = { refusal, pressures, security, allocatable, node, system };
    return admitPod(pod, { ...facts, others: others(pod) });
  }

  /** Ends pods that a critical one has no room beside. */
  async #makeRoom(pod: Pod): Promise<PodEnd | undefined> {
    if (!isCritical(pod)) return undefined;
    const { allocatable, recorder, end } = this.#parts;
    const others = this.#parts.others(pod).filter((one) => !this.#leaving.has(uidOf(one)));
    const chosen = choosePreempted(pod, others, shortagesOf(pod, others, allocatable));
    if (chosen.kind === "impossible") return unexpected(chosen.message);
    await Promise.all(
      chosen.pods.map(async (one) => {
        const { reason, message } = preemptedEnd;
        recorder.record(one, { type: "Warning", reason, message });
        this.#leaving.add(uidOf(one));
        await end(one, preemptedEnd);
        this.#leaving.delete(uidOf(one));
      }),
    );
    return undefined;
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

function unexpected(message: string): PodEnd {
  return { reason: "UnexpectedAdmissionError", message };
}
