import type { Node, Pod } from "#api/generated/types.ts";
import type { Clock } from "#base/clock.ts";
import { type Log, messageOf } from "#base/log.ts";
import { evictionMessage } from "#agent/eviction/eviction-message.ts";
import { hasLocalLimits, localExcess } from "#agent/eviction/local-limits.ts";
import { watchMemoryStalls } from "#agent/eviction/memory-stalls.ts";
import {
  nextPressure,
  noPressure,
  type PressureState,
  worstOf,
} from "#agent/eviction/pressure-state.ts";
import { isCritical, rankPods } from "#agent/eviction/rank-pods.ts";
import {
  type Observations,
  type Pressure,
  signals,
  type Threshold,
  thresholdsOf,
} from "#agent/eviction/thresholds.ts";
import { durationMs, type NodeSettings } from "#agent/node/node-settings.ts";
import { isTerminal, isTerminating, type PodEnd } from "#agent/pods/pod-observation.ts";
import type { UsageCollector } from "#agent/stats/usage-collector.ts";
import type { NodeMetrics } from "#agent/stats/node-metrics.ts";
import type { EventRecorder } from "#reconcile/event-recorder.ts";

export interface EvictionParts {
  readonly clock: Clock;
  readonly log: Log;
  readonly recorder: EventRecorder;
  readonly node: Node;
  readonly settings: NodeSettings;
  readonly metrics: Pick<NodeMetrics, "evicted">;
  readonly usage: UsageCollector;
  /** What there is of everything the thresholds are about. */
  readonly observe: () => Promise<Observations>;
  readonly pods: () => readonly Pod[];
  /** Ends a pod; resolves once nothing of it runs and its volumes are given back. */
  readonly end: (pod: Pod, end: PodEnd) => Promise<void>;
  /** Frees what nothing uses: ended containers and, on disk, unused images. */
  readonly reclaimDisk: () => Promise<void>;
  /** What lets a node go on whose disk has no room left at all. */
  readonly fullDisk: {
    /** Room for that case, taken while there is plenty. */
    hold(): Promise<void>;
    /** Stops a pod's processes without the runtime, which can do nothing now, and gives it the room back. */
    relieve(pod: Pod): Promise<void>;
  };
  readonly onPressure: (pressures: ReadonlySet<Pressure>) => void;
  readonly cgroupMount?: string;
}

/** Nothing tells of a disk that fills up: it is asked, as often as upstream does. */
const lookMs = 10_000;
/** How long the next look waits at most for an evicted pod to be gone. */
const goneMs = 30_000;
const immediateGraceSeconds = 1;
/** A disk that has no more is full. */
const fullBytes = 1024 ** 2;

/** Ends pods before the node runs out of memory, disk or process ids, and pods that took more disk than they may. */
export class EvictionManager implements Disposable {
  readonly #parts: EvictionParts;
  readonly #thresholds: readonly Threshold[];
  readonly #disposal = new DisposableStack();
  #state: PressureState = noPressure;
  #isDiskFull = false;
  #isLooking = false;
  #lookAgain = false;
  #ended = false;
  #cancel: () => void = () => {};

  constructor(parts: EvictionParts) {
    this.#parts = parts;
    this.#thresholds = thresholdsOf(parts.settings);
  }

  /** Looks for the first time; later looks come with the clock, and at once when processes wait for memory. */
  async start(): Promise<void> {
    const stalls = await watchMemoryStalls(() => this.wake(), this.#parts.cgroupMount);
    if (this.#ended) stalls[Symbol.dispose]();
    else this.#disposal.use(stalls);
    this.wake();
  }

  wake(): void {
    this.#lookAgain = true;
    if (this.#isLooking) return;
    this.#isLooking = true;
    void this.#loop().finally(() => (this.#isLooking = false));
  }

  [Symbol.dispose](): void {
    this.#ended = true;
    this.#cancel();
    this.#disposal[Symbol.dispose]();
  }

  async #loop(): Promise<void> {
    while (this.#lookAgain && !this.#ended) {
      this.#lookAgain = false;
      this.#cancel();
      try {
        if (await this.#look()) this.#lookAgain = true;
      } catch (error) {
        this.#parts.log.warn("node's resources not looked at", { reason: messageOf(error) });
      }
      if (!this.#ended) this.#cancel = this.#parts.clock.after(lookMs, () => this.wake());
    }
  }

  /** True when a pod was evicted: then it is worth looking again. */
  async #look(): Promise<boolean> {
    const observations = await this.#update();
    if (await this.#evictOverLimit()) return true;
    const threshold = worstOf(this.#state.met);
    if (threshold === undefined) return false;
    const { resource } = signals[threshold.signal];
    this.#parts.recorder.record(this.#parts.node, {
      type: "Warning",
      reason: "EvictionThresholdMet",
      message: `Attempting to reclaim ${resource}`,
    });
    if (await this.#reclaimed(threshold)) return false;
    return this.#evictFor(threshold, observations);
  }

  async #update(): Promise<Observations> {
    const { clock, settings, observe, onPressure } = this.#parts;
    const observations = await observe();
    this.#isDiskFull = hasFullDisk(observations);
    const before = this.#state.pressures;
    this.#state = nextPressure(this.#state, {
      thresholds: this.#thresholds,
      observations,
      nowMs: clock.now(),
      transitionMs: durationMs(settings.evictionPressureTransitionPeriod),
    });
    const { pressures } = this.#state;
    if (pressures.symmetricDifference(before).size > 0) onPressure(pressures);
    if (!pressures.has("DiskPressure")) await this.#holdReserve();
    return observations;
  }

  async #holdReserve(): Promise<void> {
    const { fullDisk, log } = this.#parts;
    try {
      await fullDisk.hold();
    } catch (error) {
      log.warn("no room kept for a full disk", { reason: messageOf(error) });
    }
  }

  /** Whether the node itself had enough to give. */
  async #reclaimed({ signal }: Threshold): Promise<boolean> {
    if (signals[signal].pressure !== "DiskPressure") return false;
    await this.#parts.reclaimDisk();
    await this.#update();
    return this.#state.met.length === 0;
  }

  async #evictOverLimit(): Promise<boolean> {
    const limited = this.#active().filter(hasLocalLimits);
    if (limited.length === 0) return false;
    const usages = await this.#parts.usage.podsOf(limited, true);
    const over = usages.flatMap((usage) => {
      const excess = localExcess(usage);
      return excess === undefined ? [] : [{ pod: usage.pod, ...excess }];
    });
    const evicted = over.filter(({ pod }) => !isCritical(pod));
    await Promise.all(
      evicted.map(({ pod, message, signal }) => {
        this.#parts.metrics.evicted(signal);
        const graceSeconds = immediateGraceSeconds;
        return this.#evict(pod, { reason: "Evicted", message, graceSeconds });
      }),
    );
    return evicted.length > 0;
  }

  /** One pod at a time, as upstream: what it gives back may be enough. */
  async #evictFor(threshold: Threshold, observations: Observations): Promise<boolean> {
    const pods = this.#active();
    const isDisk = signals[threshold.signal].pressure === "DiskPressure";
    const usages = await this.#parts.usage.podsOf(pods, isDisk);
    const ranked = rankPods(pods, usages, threshold.signal);
    const pod = ranked.find((candidate) => !isCritical(candidate));
    if (pod === undefined) return false;
    const usage = usages.find((one) => one.pod === pod);
    const message = evictionMessage(threshold, observations, usage);
    const disruption = { reason: "TerminationByKubelet", message };
    const graceSeconds = this.#graceOf(threshold, pod);
    this.#parts.metrics.evicted(threshold.signal);
    await this.#evict(pod, { reason: "Evicted", message, graceSeconds, disruption });
    return true;
  }

  #graceOf({ graceMs }: Threshold, pod: Pod): number {
    if (graceMs === undefined) return immediateGraceSeconds;
    const { evictionMaxPodGracePeriod } = this.#parts.settings;
    return Math.min(
      evictionMaxPodGracePeriod,
      pod.spec?.terminationGracePeriodSeconds ?? evictionMaxPodGracePeriod,
    );
  }

  async #evict(pod: Pod, end: PodEnd): Promise<void> {
    const { recorder, log, clock, fullDisk } = this.#parts;
    const { name, namespace } = pod.metadata;
    log.info("pod evicted", { pod: `${namespace}/${name}`, reason: end.message });
    recorder.record(pod, { type: "Warning", reason: "Evicted", message: end.message });
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const cancel = clock.after(goneMs, resolve);
    const ended = this.#parts.end(pod, end);
    if (this.#isDiskFull) await fullDisk.relieve(pod);
    await Promise.race([ended, late]);
    cancel();
  }

  #active(): readonly Pod[] {
    return this.#parts.pods().filter((pod) => !isTerminal(pod) && !isTerminating(pod));
  }
}

function hasFullDisk(observations: Observations): boolean {
  return (["nodefs.available", "imagefs.available"] as const).some((signal) => {
    const { available = Infinity } = observations.get(signal) ?? {};
    return available < fullBytes;
  });
}
