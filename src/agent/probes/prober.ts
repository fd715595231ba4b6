import type { Pod, Probe } from "#api/generated/types.ts";
import type { Clock } from "#base/clock.ts";
import type { Random } from "#base/random.ts";
import { oldStatus } from "#agent/pods/container-status.ts";
import { fieldPathOf, type PodContainer } from "#agent/pods/pod-containers.ts";
import type { ContainerHealth } from "#agent/pods/pod-observation.ts";
import type { Handlers } from "#agent/probes/handlers.ts";
import type { ProbeMetrics } from "#agent/stats/agent-metrics.ts";
import type { ContainerState } from "#agent/runtime/container-runtime.ts";
import type { EventRecorder } from "#reconcile/event-recorder.ts";

export interface ProberParts {
  readonly clock: Clock;
  readonly random: Random;
  readonly recorder: EventRecorder;
  readonly handlers: Handlers;
  readonly probeResults: ProbeMetrics;
  /** Called when a container's health has changed. */
  readonly onChange: () => void;
}

type ProbeKind = "Startup" | "Liveness" | "Readiness";

interface Watched {
  readonly stop: () => void;
  health: ContainerHealth;
}

/** Probes the running containers of one pod. Timers exist only for containers that have probes. */
export class Prober implements Disposable {
  readonly #parts: ProberParts;
  readonly #watched = new Map<string, Watched>();

  constructor(parts: ProberParts) {
    this.#parts = parts;
  }

  get health(): ReadonlyMap<string, ContainerHealth> {
    return new Map([...this.#watched].map(([id, { health }]) => [id, health]));
  }

  /** Probes a container from its start on; harmless when it is probed already. */
  watch(pod: Pod, container: PodContainer, state: ContainerState, podIp: string): void {
    if (this.#watched.has(state.id)) return;
    const { startupProbe, livenessProbe, readinessProbe } = container.spec;
    if (!startupProbe && !livenessProbe && !readinessProbe) return;
    const ending = new AbortController();
    // After a restart of the agent, what it said last holds until a probe says otherwise.
    const old = oldStatus(pod, container.spec.name);
    const told = old?.containerID?.endsWith(`//${state.id}`) ? old : undefined;
    const health = {
      started: !startupProbe || (told?.started ?? false),
      ready: !readinessProbe || (told?.ready ?? false),
    };
    const watched: Watched = { health, stop: () => ending.abort() };
    this.#watched.set(state.id, watched);
    const subject: Subject = { pod, container, state, podIp, watched, signal: ending.signal };
    const others = (): void => {
      if (livenessProbe) this.#run(subject, "Liveness", livenessProbe);
      if (readinessProbe) this.#run(subject, "Readiness", readinessProbe);
    };
    if (startupProbe && !health.started)
      this.#run({ ...subject, onPassed: others }, "Startup", startupProbe);
    else others();
  }

  /** Ends the probes of containers that are not among these. */
  keepOnly(ids: ReadonlySet<string>): void {
    for (const [id, watched] of this.#watched) {
      if (ids.has(id)) continue;
      watched.stop();
      this.#watched.delete(id);
    }
  }

  [Symbol.dispose](): void {
    this.keepOnly(new Set());
  }

  #run(subject: Subject, kind: ProbeKind, probe: Probe): void {
    const { clock, random } = this.#parts;
    const periodMs = (probe.periodSeconds ?? 10) * 1000;
    const sinceStartMs = clock.now() - subject.state.startedMs;
    const delayMs = (probe.initialDelaySeconds ?? 0) * 1000 - sinceStartMs;
    // After a restart of the agent all probes would fall on one moment.
    const jitterMs = sinceStartMs > periodMs ? random() * periodMs : 0;
    const run: ProbeRun = { subject, kind, probe, successes: 0, failures: 0 };
    this.#later(run, Math.max(0, delayMs, jitterMs));
  }

  #later(run: ProbeRun, delayMs: number): void {
    const { signal } = run.subject;
    if (signal.aborted) return;
    const cancel = this.#parts.clock.after(delayMs, () => {
      signal.removeEventListener("abort", cancel);
      void this.#probeOnce(run);
    });
    signal.addEventListener("abort", cancel, { once: true });
  }

  async #probeOnce(run: ProbeRun): Promise<void> {
    const { subject, kind, probe } = run;
    const { container, state, podIp, signal } = subject;
    const result = await this.#parts.handlers(probe, {
      container: container.spec,
      containerId: state.id,
      podIp,
      timeoutMs: (probe.timeoutSeconds ?? 1) * 1000,
      userAgent: "kube-probe/1.36",
    });
    if (signal.aborted) return;
    const outcome = { container: container.spec.name, kind, ok: result.ok };
    this.#parts.probeResults.count(subject.pod, outcome);
    if (result.ok) {
      run.successes += 1;
      run.failures = 0;
    } else {
      run.failures += 1;
      run.successes = 0;
      const message = `${kind} probe failed: ${result.output}`;
      const fieldPath = fieldPathOf(container);
      const event = { type: "Warning", reason: "Unhealthy", message, fieldPath } as const;
      this.#parts.recorder.record(subject.pod, event);
    }
    if (this.#conclude(run)) return;
    this.#later(run, (probe.periodSeconds ?? 10) * 1000);
  }

  /** Says what the probe's latest results mean; true when it has nothing more to find out. */
  #conclude({ subject, kind, probe, successes, failures }: ProbeRun): boolean {
    const passed = successes >= (probe.successThreshold ?? 1);
    const failed = failures >= (probe.failureThreshold ?? 3);
    const { health } = subject.watched;
    if (kind === "Readiness") {
      if (passed || failed) this.#settle(subject, { ...health, ready: passed });
      return false;
    }
    if (failed) {
      this.#settle(subject, { ...health, failed: kind });
      return true;
    }
    if (kind === "Startup" && passed) {
      this.#settle(subject, { ...health, started: true });
      subject.onPassed?.();
      return true;
    }
    return false;
  }

  #settle({ watched }: Subject, health: ContainerHealth): void {
    const before = watched.health;
    watched.health = health;
    const same =
      before.ready === health.ready &&
      before.started === health.started &&
      before.failed === health.failed;
    if (!same) this.#parts.onChange();
  }
}

interface Subject {
  readonly pod: Pod;
  readonly container: PodContainer;
  readonly state: ContainerState;
  readonly podIp: string;
  readonly watched: Watched;
  readonly signal: AbortSignal;
  readonly onPassed?: () => void;
}

interface ProbeRun {
  readonly subject: Subject;
  readonly kind: ProbeKind;
  readonly probe: Probe;
  successes: number;
  failures: number;
}
