import type { Clock } from "#base/clock.ts";
import { sleep } from "#base/clock.ts";
import type { Random } from "#base/random.ts";
import { randomUid } from "#base/random.ts";
import { AddressPool } from "#agent/simulated/address-pool.ts";
import { type Behaviour, behaviourOf } from "#agent/simulated/behaviour.ts";
import { simulatedCommand } from "#agent/simulated/simulated-command.ts";
import { crashOf, simulationWith } from "#agent/simulated/lifecycle.ts";
import type { Lifecycle } from "#agent/simulated/node-groups.ts";
import { logOf, type SimulatedRun } from "#agent/simulated/simulated-log.ts";
import { SimulatedUsage } from "#agent/simulated/simulated-usage.ts";
import type {
  ContainerConfig,
  ContainerRuntime,
  ContainerState,
  ContainerStats,
  ImageFilesystem,
  ImageInfo,
  RuntimeEvent,
  Sandbox,
  SandboxConfig,
} from "#agent/runtime/container-runtime.ts";
import type { ExecOptions, ProcessStreams } from "#agent/streams/process-streams.ts";

export interface SimulatedOptions {
  readonly clock: Clock;
  readonly random: Random;
  /** The range of the pods' addresses. */
  readonly podCidr: string;
  readonly processes: SimulatedProcesses;
  /** How containers behave whose pods' annotations do not say; the first that matches counts. */
  readonly lifecycles?: readonly Lifecycle[];
}

/** Makes streams of what simulated commands say; needs the platform. */
export interface SimulatedProcesses {
  run(options: ExecOptions, command: SimulatedCommand): ProcessStreams;
  /** Shows the output of a container as it comes. */
  follow(lines: AsyncIterable<string>): ProcessStreams;
}

export interface SimulatedCommand {
  readonly stdout: string;
  readonly stderr: string;
  readonly exitCode: number;
  /** The command writes what it reads. */
  readonly echoesInput: boolean;
}

/** Images below this name cannot be pulled: for tests of what happens then. */
export const unpullablePrefix = "missing.simulated.kogge.dev/";

/**
 * Containers that are only bookkeeping. They start, print, become healthy and end as annotations of their pod say.
 * A timer exists only while something is about to happen by itself, so pods that just run cost nothing.
 */
export function createSimulatedRuntime(options: SimulatedOptions): ContainerRuntime {
  return new SimulatedRuntime(options);
}

interface SimulatedContainer {
  state: ContainerState;
  readonly config: ContainerConfig;
  behaviour: Behaviour;
  readonly usage: SimulatedUsage;
  cancel: () => void;
}

class SimulatedRuntime implements ContainerRuntime {
  readonly version = "simulated://1.0.0";
  readonly features = { supplementalGroupsPolicy: true };
  readonly #options: SimulatedOptions;
  readonly #pool: AddressPool;
  readonly #sandboxes = new Map<string, { sandbox: Sandbox; config: SandboxConfig }>();
  readonly #containers = new Map<string, SimulatedContainer>();
  readonly #images = new Map<string, ImageInfo>();
  readonly #listeners = new Set<(event: RuntimeEvent) => void>();

  constructor(options: SimulatedOptions) {
    this.#options = options;
    this.#pool = new AddressPool(options.podCidr);
  }

  async runSandbox(config: SandboxConfig, signal: AbortSignal): Promise<Sandbox> {
    signal.throwIfAborted();
    const { name, namespace, uid, attempt, labels } = config;
    const sandbox: Sandbox = {
      id: this.#newId(),
      name,
      namespace,
      uid,
      attempt,
      labels,
      state: "ready",
      createdMs: this.#options.clock.now(),
      ips: config.hostNetwork ? [] : [this.#pool.take()],
    };
    this.#sandboxes.set(sandbox.id, { sandbox, config });
    return sandbox;
  }

  async stopSandbox(id: string): Promise<void> {
    const found = this.#sandboxes.get(id);
    if (found?.sandbox.state !== "ready") return;
    for (const container of this.#containers.values()) {
      if (container.state.sandboxId === id) this.#end(container, 137, "Error");
    }
    for (const ip of found.sandbox.ips) this.#pool.give(ip);
    found.sandbox = { ...found.sandbox, state: "not-ready", ips: [] };
    this.#emit({ kind: "sandbox-stopped", sandboxId: id });
  }

  async removeSandbox(id: string): Promise<void> {
    await this.stopSandbox(id);
    for (const container of this.#containers.values()) {
      if (container.state.sandboxId === id) await this.removeContainer(container.state.id);
    }
    this.#sandboxes.delete(id);
  }

  async listSandboxes(): Promise<readonly Sandbox[]> {
    return [...this.#sandboxes.values()].map(({ sandbox }) => sandbox);
  }

  async createContainer(sandboxId: string, config: ContainerConfig): Promise<string> {
    if (!this.#sandboxes.has(sandboxId)) {
      throw new Error(`Cannot create container "${config.name}": sandbox "${sandboxId}" is gone`);
    }
    const id = this.#newId();
    const { name, attempt, logPath, labels, annotations } = config;
    const image = this.#images.get(config.image);
    const state: ContainerState = {
      id,
      sandboxId,
      name,
      attempt,
      logPath,
      labels,
      annotations,
      state: "created",
      image: image?.tags[0] ?? config.image,
      imageId: image?.id ?? config.image,
      createdMs: this.#options.clock.now(),
      startedMs: 0,
      finishedMs: 0,
      exitCode: 0,
      reason: "",
      message: "",
    };
    const behaviour = behaviourOf(name, this.#simulation(sandboxId, config.simulation));
    const usage = new SimulatedUsage();
    this.#containers.set(id, { state, config, behaviour, usage, cancel: () => {} });
    return id;
  }

  async startContainer(id: string): Promise<void> {
    const container = this.#require(id);
    const { clock } = this.#options;
    if (container.behaviour.startMs > 0) await sleep(clock, container.behaviour.startMs);
    if (container.state.state !== "created") {
      throw new Error(`Cannot start container "${id}": it is ${container.state.state}`);
    }
    container.state = { ...container.state, state: "running", startedMs: clock.now() };
    this.#emit({ kind: "container-started", containerId: id });
    const { random } = this.#options;
    const { crashProbability } = container.behaviour;
    const crashes = crashProbability > 0 && random() < crashProbability;
    const { runMs, exitCode } = crashes
      ? crashOf(container.behaviour, random)
      : container.behaviour;
    if (runMs === undefined) return;
    const reason = exitCode === 0 ? "Completed" : "Error";
    container.cancel = clock.after(runMs, () => this.#end(container, exitCode, reason));
  }

  async stopContainer(id: string, graceSeconds: number): Promise<void> {
    const container = this.#containers.get(id);
    if (container === undefined) return;
    this.#end(container, graceSeconds > 0 ? 0 : 137, graceSeconds > 0 ? "Completed" : "Error");
  }

  async removeContainer(id: string): Promise<void> {
    const container = this.#containers.get(id);
    if (container === undefined) return;
    this.#end(container, 137, "Error");
    this.#containers.delete(id);
    this.#emit({ kind: "container-removed", containerId: id });
  }

  async listContainers(): Promise<readonly ContainerState[]> {
    return [...this.#containers.values()].map(({ state }) => state);
  }

  async containerState(id: string): Promise<ContainerState | undefined> {
    return this.#containers.get(id)?.state;
  }

  async updateContainer(id: string): Promise<void> {
    this.#running(id);
  }

  async reopenLog(id: string): Promise<void> {
    this.#running(id);
  }

  async containerStats(): Promise<readonly ContainerStats[]> {
    const nowMs = this.#options.clock.now();
    return [...this.#containers.values()]
      .filter(({ state }) => state.state === "running")
      .map(({ state, usage, behaviour }) => usage.at(nowMs, state, behaviour));
  }

  async imageFilesystem(): Promise<ImageFilesystem> {
    return { usedBytes: 0, inodesUsed: 0 };
  }

  simulate(id: string, simulation: Readonly<Record<string, string>>): void {
    const container = this.#containers.get(id);
    if (container === undefined) return;
    const { state, usage, behaviour } = container;
    if (state.state === "running") usage.at(this.#options.clock.now(), state, behaviour);
    container.behaviour = behaviourOf(state.name, this.#simulation(state.sandboxId, simulation));
  }

  onEvent(listener: (event: RuntimeEvent) => void): Disposable {
    this.#listeners.add(listener);
    return { [Symbol.dispose]: () => void this.#listeners.delete(listener) };
  }

  async exec(id: string, options: ExecOptions): Promise<ProcessStreams> {
    return this.#options.processes.run(options, this.#command(id, options.command));
  }

  async attach(id: string): Promise<ProcessStreams> {
    this.#running(id);
    return this.#options.processes.follow(this.readLog(id, new AbortController().signal, true));
  }

  async portForward(): Promise<never> {
    throw new Error("Cannot forward the port: simulated pods have no network");
  }

  async execSync(
    id: string,
    command: readonly string[],
  ): Promise<{ exitCode: number; output: string }> {
    const { stdout, stderr, exitCode } = this.#command(id, command);
    return { exitCode, output: stdout + stderr };
  }

  readLog(id: string, signal: AbortSignal, follow: boolean): AsyncIterable<string> {
    const container = this.#require(id);
    const run = (): SimulatedRun => ({ ...container.state, behaviour: container.behaviour });
    return logOf({ run, clock: this.#options.clock, signal, follow });
  }

  async probe(id: string): Promise<{ ok: boolean; output: string }> {
    const { state, behaviour } = this.#running(id);
    const ageMs = this.#options.clock.now() - state.startedMs;
    const ok = ageMs >= behaviour.healthyAfterMs && ageMs < behaviour.unhealthyAfterMs;
    return { ok, output: ok ? "" : "the simulation says so" };
  }

  async imageStatus(image: string): Promise<ImageInfo | undefined> {
    return this.#images.get(image);
  }

  async pullImage(image: string): Promise<ImageInfo> {
    if (image.startsWith(unpullablePrefix)) {
      throw new Error(`failed to resolve reference "${image}": ${image}: not found`);
    }
    const info = { id: image, tags: [image], digests: [], sizeBytes: 0, user: "" };
    this.#images.set(image, info);
    return info;
  }

  async listImages(): Promise<readonly ImageInfo[]> {
    return [...this.#images.values()];
  }

  async removeImage(image: string): Promise<void> {
    this.#images.delete(image);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const { cancel } of this.#containers.values()) cancel();
    this.#listeners.clear();
  }

  #simulation(sandboxId: string, given: Readonly<Record<string, string>> = {}) {
    const config = this.#sandboxes.get(sandboxId)?.config;
    return config ? simulationWith(this.#options.lifecycles ?? [], config, given) : given;
  }

  #end(container: SimulatedContainer, exitCode: number, reason: string): void {
    container.cancel();
    if (container.state.state !== "running") return;
    const finishedMs = this.#options.clock.now();
    container.state = { ...container.state, state: "exited", exitCode, reason, finishedMs };
    this.#emit({ kind: "container-exited", containerId: container.state.id });
  }

  #command(id: string, command: readonly string[]): SimulatedCommand {
    const { config, state } = this.#running(id);
    const hostname = this.#sandboxes.get(state.sandboxId)?.config.hostname ?? "";
    return simulatedCommand(command, { hostname, env: config.env });
  }

  #running(id: string): SimulatedContainer {
    const container = this.#require(id);
    if (container.state.state === "running") return container;
    throw new Error(`container ${id} is not running`);
  }

  #require(id: string): SimulatedContainer {
    const container = this.#containers.get(id);
    if (container === undefined) throw new Error(`container ${id} not found`);
    return container;
  }

  #emit(event: RuntimeEvent): void {
    for (const listener of this.#listeners) listener(event);
  }

  #newId(): string {
    const { random } = this.#options;
    return (randomUid(random) + randomUid(random)).replaceAll("-", "");
  }
}
