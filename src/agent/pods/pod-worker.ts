import type { Pod } from "#api/generated/types.ts";
import { nameOf, namespaceOf } from "#api/meta.ts";
import { type Log, messageOf } from "#base/log.ts";
import { admitNew } from "#agent/pods/admit-pod.ts";
import { BackOff } from "#agent/pods/back-off.ts";
import { giveClaimsBack, prepareClaims, retriesClaims } from "#agent/pods/claim-keeper.ts";
import { clearUpPod } from "#agent/pods/clear-up-pod.ts";
import { createSandbox } from "#agent/pods/create-sandbox.ts";
import { CrashTeller } from "#agent/pods/crash-teller.ts";
import { LastWords } from "#agent/pods/last-words.ts";
import { letObjectGo } from "#agent/pods/let-object-go.ts";
import { isStopped, planPod, type PodAction } from "#agent/pods/plan-pod.ts";
import { findContainer } from "#agent/pods/pod-containers.ts";
import {
  deadlineLeftMs,
  goneEnd,
  isTerminal,
  isTerminating,
  type PodEnd,
  type PodObservation,
  type StartFailure,
} from "#agent/pods/pod-observation.ts";
import { graceOf, type PodParts, removalGrace, stopGrace } from "#agent/pods/pod-parts.ts";
import { podStatus } from "#agent/pods/pod-status.ts";
import { ResizeKeeper } from "#agent/pods/resize-keeper.ts";
import { requestsMore, type WaitingResize } from "#agent/pods/resize-order.ts";
import { askForResize, resizeRunning } from "#agent/pods/resize-pod.ts";
import { startContainer } from "#agent/pods/start-container.ts";
import { simulate } from "#agent/pods/simulation.ts";
import { StartError, usualRetryMs } from "#agent/pods/start-error.ts";
import { StatusWriter, withStatus } from "#agent/pods/status-writer.ts";
import { hurryContainers, stopContainer } from "#agent/pods/stop-container.ts";
import { showsOtherwise, VolumeKeeper } from "#agent/pods/volume-keeper.ts";
import { Prober } from "#agent/probes/prober.ts";

/**
 * Makes one pod be as its object asks: observes, plans, acts, tells, again and again while something changes. One
 * thing at a time; what happens meanwhile only makes it look again. Between changes it does nothing at all.
 */
export class PodWorker {
  readonly #parts: PodParts;
  readonly #log: Log;
  readonly #ending = new AbortController();
  /** The pod is to end: what is being started is given up. */
  readonly #stopping = new AbortController();
  readonly #status: StatusWriter;
  readonly #prober: Prober;
  readonly #volumes: VolumeKeeper;
  readonly #failures = new Map<string, StartFailure>();
  readonly #crashes: BackOff;
  readonly #crashTeller: CrashTeller;
  readonly #lastWords: LastWords;
  readonly #resizes: ResizeKeeper;
  readonly #renewed = new Set<string>();
  readonly #outdated = new Set<string>();
  /** As the API has it; `#pod` is the same with the resources that the node granted. */
  #wanted: Pod;
  #pod: Pod;
  /** The object is gone from the API: what runs must go, and nothing is written any more. */
  #deleted = false;
  #onGone: () => void = () => {};
  #ended: PodEnd | undefined;
  #whenEnded: (() => void) | undefined;
  #isAdmitted = false;
  #isReleased = false;
  #running: Promise<void> | undefined;
  #lookAgain = false;
  #cancelTimer: () => void = () => {};
  #wakeAtMs = Infinity;

  constructor(parts: PodParts, pod: Pod) {
    this.#parts = parts;
    this.#wanted = pod;
    this.#resizes = new ResizeKeeper(pod);
    this.#pod = this.#resizes.granted(pod);
    this.#log = parts.log.with({ pod: `${namespaceOf(pod)}/${nameOf(pod)}` });
    this.#status = new StatusWriter(parts, this.#ending.signal);
    this.#crashes = new BackOff(parts.clock);
    this.#lastWords = new LastWords(parts.files);
    this.#crashTeller = new CrashTeller(parts.recorder);
    const onChange = (): void => this.wake();
    this.#prober = new Prober({ ...parts, onChange });
    this.#volumes = new VolumeKeeper({ ...parts, onStale: onChange });
  }

  get pod(): Pod {
    return this.#pod;
  }

  get told(): Pod {
    return withStatus(this.#pod, this.#status.last);
  }

  /** The status is to be written again, to an object that has it not. */
  retell(): void {
    this.#status.forget();
    this.wake();
  }

  /** Whether the node runs it, or is going to; what ends counts until nothing of it runs. */
  get isTaken(): boolean {
    return this.#isAdmitted && !this.#ended?.isRefusal && !isTerminal(this.told);
  }

  /** The change of resources that waits for room. */
  get waitingResize(): WaitingResize | undefined {
    return this.#resizes.waiting(this.#wanted);
  }

  /** There is room: what had to wait for it may have it now. */
  askAgain(): void {
    this.#askForResize();
    this.wake();
  }

  update(pod: Pod): void {
    const before = this.#pod;
    this.#wanted = pod;
    this.#pod = this.#resizes.granted(pod);
    if (isTerminating(before) && graceOf(pod) < graceOf(before)) this.#hurry();
    if (isTerminating(pod)) this.#stopping.abort();
    if (before.metadata.annotations !== pod.metadata.annotations) simulate(this.#parts, this.#pod);
    if (showsOtherwise(before, this.#pod)) this.#volumes.markStale();
    this.wake();
  }

  /** A driver of claims can be asked that could not be before. */
  retryClaims(): void {
    if (retriesClaims(this.#parts, this.#pod, this.#failures)) this.wake();
  }

  /** The object is gone: ends and clears up what is left of the pod, then calls back. */
  remove(onGone: () => void): void {
    this.#deleted = true;
    this.#onGone = onGone;
    this.#stopping.abort();
    this.#hurry();
    this.wake();
  }

  /** A config map, a secret or a token that a volume shows has changed. */
  refreshVolumes(): void {
    this.#volumes.markStale();
    this.wake();
  }

  /** Ends the pod although its object stays; resolves once nothing of it runs and its volumes are given back. */
  end(end: PodEnd): Promise<void> {
    const { promise, resolve } = Promise.withResolvers<void>();
    const others = this.#whenEnded;
    this.#ended ??= end;
    this.#stopping.abort();
    this.#whenEnded = () => {
      others?.();
      resolve();
    };
    this.#ending.signal.addEventListener("abort", () => resolve(), { once: true });
    this.wake();
    return promise;
  }

  wake(): void {
    this.#lookAgain = true;
    if (this.#ending.signal.aborted) return;
    this.#running ??= this.#loop().finally(() => (this.#running = undefined));
  }

  /** Lets go of the pod and leaves its containers running. */
  release(): void {
    this.#ending.abort(new Error("the node agent stops"));
    this.#cancelTimer();
    this.#prober[Symbol.dispose]();
    this.#volumes[Symbol.dispose]();
  }

  async #loop(): Promise<void> {
    while (this.#lookAgain && !this.#ending.signal.aborted) {
      this.#lookAgain = false;
      this.#cancelTimer();
      this.#wakeAtMs = Infinity;
      try {
        await this.#look();
      } catch (error) {
        if (this.#ending.signal.aborted) return;
        this.#log.error("pod not brought up to date", { reason: messageOf(error) });
        this.#wakeIn(usualRetryMs);
      }
    }
  }

  async #look(): Promise<void> {
    await this.#admit();
    this.#checkDeadline();
    this.#askForResize();
    const found = await this.#observe();
    this.#watchHealth(found);
    const observed = { ...found, health: this.#prober.health };
    const isGivenBack = this.#deleted || (await giveClaimsBack(this.#parts, observed));
    if (!isGivenBack) return this.#wakeIn(usualRetryMs);
    const actions = planPod(this.#deleted ? { ...observed, ended: goneEnd } : observed);
    if (!this.#deleted) this.#tell(observed);
    if (actions.every(({ kind }) => kind === "wait")) await this.#resize(observed);
    if (actions.length === 0 && isStopped(observed)) await this.#stopped();
    if (actions.length > 0) await this.#act(observed, actions);
    else if (isTerminating(this.#pod) || this.#deleted) await this.#finish();
    else if (!this.#volumes.isReady && !isStopped(observed)) await this.#volumesReadyFor(observed);
  }

  /** Asks the node for the resources that the object wants; what the pod gives back others may have. */
  #askForResize(): void {
    const before = this.#pod;
    if (!askForResize(this.#parts, this.#wanted, this.#resizes)) return;
    this.#pod = this.#resizes.granted(this.#wanted);
    if (requestsMore(before, this.#pod)) this.#parts.onRoom?.();
  }

  /** Brings what runs to the resources that were granted since it was started. */
  async #resize(observed: PodObservation): Promise<void> {
    if (isTerminating(this.#pod) || this.#deleted || this.#ended) return;
    const outcome = await resizeRunning(this.#parts, {
      pod: this.#pod,
      containers: observed.containers,
      keeper: this.#resizes,
      restart: async ({ id, name }, why) => {
        await this.#stop(observed, { kind: "stop-container", id, name, why });
        this.#renewed.add(id);
      },
    });
    if (outcome === "changed") this.#lookAgain = true;
    if (outcome === "failed") this.#wakeIn(usualRetryMs);
  }

  /** Nothing of the pod runs: what it had is given back as soon as it will not run again. */
  async #stopped(): Promise<void> {
    if (!this.#isReleased && !this.#deleted && isTerminal(this.told)) {
      await this.#parts.files.release(this.#pod);
      this.#isReleased = true;
      this.#parts.onGone?.(this.#pod);
    }
    if (this.#ended) this.#whenEnded?.();
  }

  async #observe(): Promise<PodObservation> {
    const { view, clock } = this.#parts;
    const uid = this.#pod.metadata.uid ?? "";
    const containers = await Promise.all(
      view.containersOf(uid).map((container) => this.#lastWords.of(this.#pod, container)),
    );
    return {
      pod: this.told,
      nowMs: clock.now(),
      sandboxes: view.sandboxesOf(uid),
      containers,
      failures: this.#failures,
      crashDelaysMs: this.#crashes.delaysMs(containers.map(({ name }) => name)),
      health: new Map(),
      renewed: this.#renewed,
      outdated: this.#outdated,
      resize: this.#resizes.state,
      ...(this.#parts.devices && { devices: this.#parts.devices }),
      ...(this.#parts.dynamicResources && { claims: this.#parts.dynamicResources }),
      ...(this.#ended && { ended: this.#ended }),
    };
  }

  #watchHealth(observed: PodObservation): void {
    const running = observed.containers.filter(({ state }) => state === "running");
    const stopping = isTerminating(this.#pod) || this.#deleted;
    this.#prober.keepOnly(new Set(stopping ? [] : running.map(({ id }) => id)));
    if (stopping) return;
    for (const state of running) {
      const container = findContainer(this.#pod, state.name);
      if (container)
        this.#prober.watch(this.#pod, container, state, this.#ipsOf(observed)[0] ?? "");
    }
  }

  #tell(observed: PodObservation): void {
    const { node, runtimeName } = this.#parts;
    const status = podStatus(observed, { hostIps: node.hostIps, runtimeName });
    this.#status.write(this.#pod, status);
  }

  async #act(observed: PodObservation, actions: readonly PodAction[]): Promise<void> {
    const stops = actions.filter((action) => action.kind === "stop-container");
    await Promise.all(stops.map((action) => this.#stop(observed, action)));
    for (const action of actions) {
      if (this.#ending.signal.aborted) return;
      await this.#do(observed, action);
    }
    if (actions.some(({ kind }) => kind !== "wait")) this.#lookAgain = true;
    const waits = actions.filter((action) => action.kind === "wait");
    for (const wait of waits) this.#crashTeller.tell(this.#pod, wait);
    const first = Math.min(...waits.map(({ untilMs }) => untilMs));
    if (waits.length > 0) this.#wakeIn(first - this.#parts.clock.now());
  }

  async #do(observed: PodObservation, action: PodAction): Promise<void> {
    const { runtime, view, files } = this.#parts;
    switch (action.kind) {
      case "create-sandbox":
        return this.#createSandbox(observed, action.attempt);
      case "stop-sandbox":
        await runtime.stopSandbox(action.id);
        view.stopSandbox(action.id);
        return;
      case "remove-sandbox":
        await runtime.removeSandbox(action.id);
        view.dropSandbox(action.id);
        return;
      case "start-container":
        return this.#start(observed, action);
      case "remove-container": {
        const old = observed.containers.find(({ id }) => id === action.id);
        await runtime.removeContainer(action.id);
        view.dropContainer(action.id);
        this.#lastWords.forget(action.id);
        this.#resizes.forget(action.id);
        this.#renewed.delete(action.id);
        this.#outdated.delete(action.id);
        if (old) await files.forget(this.#pod, old.name, old.attempt);
        return;
      }
      case "begin-anew":
        for (const id of action.ids) this.#outdated.add(id);
        return;
      case "stop-container":
      case "wait":
        return;
    }
  }

  async #createSandbox(observed: PodObservation, attempt: number): Promise<void> {
    if (!(await this.#volumesReadyFor(observed))) return;
    const problem = await prepareClaims(this.#parts, this.#pod, this.#stopping.signal);
    if (problem) return this.#fail("", problem);
    try {
      const pod = this.#pod;
      await createSandbox(this.#parts, { pod, attempt, signal: this.#ending.signal });
      this.#resizes.hold(pod);
      this.#failures.delete("");
    } catch (error) {
      this.#ending.signal.throwIfAborted();
      const message = `Failed to create pod sandbox: ${messageOf(error)}`;
      this.#record("Warning", "FailedCreatePodSandBox", message);
      this.#fail("", new StartError("FailedCreatePodSandBox", message, usualRetryMs));
    }
  }

  /** False when a volume is missing: the pod waits, with upstream's event. */
  async #volumesReadyFor(observed: PodObservation): Promise<boolean> {
    const outcome = await this.#volumes.setUp(this.#pod, this.#ipsOf(observed));
    if (outcome.kind === "ready") {
      if (this.#failures.get("")?.reason === "FailedMount") this.#failures.delete("");
      return true;
    }
    this.#wakeIn(outcome.delayMs);
    if (outcome.kind === "waits") return false;
    const { error, delayMs } = outcome;
    this.#record("Warning", "FailedMount", messageOf(new Error(error.message)));
    this.#fail("", new StartError("FailedMount", messageOf(error), delayMs));
    return false;
  }

  async #start(
    observed: PodObservation,
    action: PodAction & { readonly kind: "start-container" },
  ): Promise<void> {
    const container = findContainer(this.#pod, action.name);
    const [sandbox] = observed.sandboxes;
    if (container === undefined || sandbox === undefined) return;
    if (!(await this.#volumesReadyFor(observed))) return;
    if (action.attempt > 0) this.#crashes.fail(action.name);
    const podIps = this.#ipsOf(observed);
    const signal = AbortSignal.any([this.#ending.signal, this.#stopping.signal]);
    if (signal.aborted) return;
    try {
      const id = await startContainer(this.#parts, {
        pod: this.#pod,
        container,
        sandbox,
        podIps,
        attempt: action.attempt,
        signal,
      });
      this.#resizes.done(id, this.#pod, container.spec);
      this.#failures.delete(action.name);
    } catch (error) {
      if (this.#stopping.signal.aborted) return;
      if (!(error instanceof StartError)) throw error;
      this.#fail(action.name, error);
    }
  }

  async #stop(
    observed: PodObservation,
    action: PodAction & { readonly kind: "stop-container" },
  ): Promise<void> {
    const usual = this.#deleted ? removalGrace(this.#pod) : stopGrace(this.#pod, action);
    const graceSeconds = Math.min(usual, this.#ended?.graceSeconds ?? Infinity);
    const podIp = this.#ipsOf(observed)[0] ?? "";
    await stopContainer(this.#parts, { pod: this.#pod, ...action, graceSeconds, podIp });
  }

  /** Shortens the time of containers that are being stopped. */
  #hurry(): void {
    if (!isTerminating(this.#pod) || this.#running === undefined) return;
    hurryContainers(this.#parts, this.#pod, this.#deleted ? 0 : graceOf(this.#pod));
  }

  /** Nothing runs any more: says so a last time, lets the object go, and clears up when it is gone. */
  async #finish(): Promise<void> {
    await this.#status.flush();
    // Before others can see that it is gone: what it had is free for them.
    this.#parts.onGone?.(this.#pod);
    if (!this.#deleted) return letObjectGo(this.#parts.client, this.#pod);
    await clearUpPod(this.#parts, this.#pod);
    this.release();
    this.#onGone();
  }

  /** A pod that is new here may be refused; what runs already stays. */
  async #admit(): Promise<void> {
    if (this.#isAdmitted || this.#deleted) return;
    this.#isAdmitted = true;
    const refusal = await admitNew(this.#parts, this.#pod);
    this.#ended ??= refusal;
  }

  #checkDeadline(): void {
    const leftMs = deadlineLeftMs(this.#pod, this.#parts.clock.now());
    if (leftMs === Infinity || this.#ended) return;
    if (leftMs > 0) return this.#wakeIn(leftMs);
    const message = "Pod was active on the node longer than the specified deadline";
    this.#ended = { reason: "DeadlineExceeded", message };
    this.#record("Normal", "DeadlineExceeded", message);
  }

  #fail(name: string, error: StartError): void {
    const { reason, message } = error;
    const retryMs = this.#parts.clock.now() + error.retryMs;
    this.#failures.set(name, { reason, message, retryMs });
  }

  #record(type: "Normal" | "Warning", reason: string, message: string): void {
    this.#parts.recorder.record(this.#pod, { type, reason, message });
  }

  #ipsOf(observed: PodObservation): readonly string[] {
    if (this.#pod.spec?.hostNetwork) return this.#parts.node.hostIps;
    return observed.sandboxes[0]?.ips ?? [];
  }

  /** Of several times, the first counts; looking again forgets it. */
  #wakeIn(delayMs: number): void {
    const atMs = this.#parts.clock.now() + Math.max(0, delayMs);
    if (atMs >= this.#wakeAtMs) return;
    this.#cancelTimer();
    this.#wakeAtMs = atMs;
    this.#cancelTimer = this.#parts.clock.after(Math.max(0, delayMs), () => this.wake());
  }
}
