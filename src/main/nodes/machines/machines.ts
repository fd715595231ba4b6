import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { closeSync, mkdirSync, openSync, readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import type { Log } from "#base/log.ts";
import type { Client } from "#client/client.ts";
import type { DataDirectory } from "#main/data-directory.ts";
import { machineDirectory } from "#main/nodes/machines/machine-directories.ts";
import {
  ensureMachineNetwork,
  removeMachineNetwork,
  type MachineNetwork,
} from "#main/nodes/machines/machine-network.ts";
import { readRunning } from "#main/running-file.ts";
import { createBootstrapToken } from "#main/token-commands.ts";

export interface MachinesOptions {
  readonly directory: DataDirectory;
  readonly clusterId: string;
  /** How many beside this machine itself. */
  readonly count: number;
  readonly log: Log;
}

export interface StartOptions {
  readonly client: Client;
  /** Of the API. */
  readonly port: number;
}

/** Starts the machines' agents once there is an API server, and waits until they run; the answer is the nodes' names. */
export type StartMachines = (
  options: StartOptions,
  stack: AsyncDisposableStack,
) => Promise<readonly string[]>;

/**
 * Plays more machines on this one: for each a network namespace with an address, and a `kogge agent` in it with a
 * containerd, a data directory and control groups of its own. They join as other machines do. The wires come first,
 * so that the API server's certificate names its end of them.
 */
export async function prepareMachines(
  options: MachinesOptions,
  stack: AsyncDisposableStack,
): Promise<StartMachines> {
  const { clusterId, count } = options;
  if (count === 0) return async () => [];
  const network = await ensureMachineNetwork(clusterId, count);
  stack.defer(() => removeMachineNetwork(clusterId));
  return (start, running) => startMachines({ ...options, ...start, network }, running);
}

async function startMachines(
  options: MachinesOptions & StartOptions & { readonly network: MachineNetwork },
  stack: AsyncDisposableStack,
): Promise<readonly string[]> {
  const { client, count, network } = options;
  const { token } = await createBootstrapToken(client, {
    lifetimeMs: tokenLifetimeMs,
    description: "nodes of this machine",
  });
  const server = `https://${network.address}:${options.port}`;
  const machines = Array.from({ length: count }, (_, at) => {
    const name = `${hostname().toLowerCase()}-${at + 2}`;
    const directory = machineDirectory(options.directory, name);
    mkdirSync(directory.logs, { recursive: true });
    endCrashed(directory);
    const words = ["agent", "--server", server, "--runtime", "containerd", "--node-name", name];
    return new Machine({
      name,
      directory,
      command: [
        ...network.enter(at + 1),
        process.execPath,
        process.argv[1] ?? "",
        ...words,
        "--data-dir",
        directory.root,
      ],
      token,
      log: options.log.with({ part: "machines", node: name }),
    });
  });
  // Together: each has to end its pods.
  stack.defer(async () => void (await Promise.all(machines.map((machine) => machine.stop()))));
  for (const machine of machines) machine.start();
  await Promise.all(machines.map((machine) => machine.running()));
  return machines.map(({ name }) => name);
}

/** Needed only until all have joined. */
const tokenLifetimeMs = 3_600_000;

/** An agent whose server crashed goes on; the new server starts another, which takes over its containers. */
function endCrashed(directory: DataDirectory): void {
  const running = readRunning(directory);
  if (running !== undefined) process.kill(running.pid, "SIGKILL");
}

interface MachineParts {
  readonly name: string;
  readonly directory: DataDirectory;
  readonly command: readonly string[];
  readonly token: string;
  readonly log: Log;
}

const restartDelayMs = 1000;
const restartDelayMaxMs = 30_000;
const stopTimeoutMs = 60_000;
const runningTimeoutMs = 60_000;
const runningPauseMs = 20;

/** One agent's process, started again when it ends by itself. */
class Machine {
  readonly name: string;
  readonly #parts: MachineParts;
  #child: ChildProcess | undefined;
  #restart: NodeJS.Timeout | undefined;
  #crashes = 0;
  #isStopping = false;

  constructor(parts: MachineParts) {
    this.name = parts.name;
    this.#parts = parts;
  }

  start(): void {
    const { command, directory, token, log } = this.#parts;
    const [program = "", ...words] = command;
    const output = openSync(join(directory.logs, "output.log"), "a");
    const child = spawn(program, words, {
      // A group of its own: Ctrl-C ends the server, which ends its machines in order.
      detached: true,
      stdio: ["ignore", output, output],
      cwd: "/",
      // Not among the words, which everybody on the machine can read.
      env: { ...process.env, KOGGE_TOKEN: token },
    });
    closeSync(output);
    this.#child = child;
    child.on("error", (error) => log.error("machine cannot be started", { error }));
    child.once("exit", (code, signal) => {
      if (this.#isStopping) return;
      this.#crashes += 1;
      const delayMs = Math.min(restartDelayMs * 2 ** (this.#crashes - 1), restartDelayMaxMs);
      log.error("machine ended", { code, signal, delayMs, said: lastLine(directory) });
      this.#restart = setTimeout(() => this.start(), delayMs);
    });
  }

  /** Resolves when the agent runs: of a node that was there before, the API tells what was so then. */
  async running(): Promise<void> {
    const { directory, name } = this.#parts;
    const signal = AbortSignal.timeout(runningTimeoutMs);
    while (readRunning(directory) === undefined) {
      if (signal.aborted) {
        throw new Error(
          `Cannot start the cluster: node "${name}" does not run after ${runningTimeoutMs / 1000} s: ${lastLine(directory)}`,
        );
      }
      await delay(runningPauseMs);
    }
  }

  async stop(): Promise<void> {
    this.#isStopping = true;
    clearTimeout(this.#restart);
    const child = this.#child;
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, "exit");
    child.kill("SIGTERM");
    const force = setTimeout(() => child.kill("SIGKILL"), stopTimeoutMs);
    await ended;
    clearTimeout(force);
  }
}

/** What an agent said last, for the log of the server. */
function lastLine(directory: DataDirectory): string {
  const lines = readFileSync(join(directory.logs, "output.log"), "utf8").trimEnd().split("\n");
  return lines.at(-1) ?? "";
}
