import { hostname } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { systemClock } from "#base/clock.ts";
import { systemRandom } from "#base/random.ts";
import type { AgentOptions } from "#cli/program.ts";
import { runAgent } from "#main/agent-process/run-agent.ts";
import type { JoinedNode } from "#main/agent-process/run-agent.ts";
import { agentDataDirectory, prepareDataDirectory } from "#main/data-directory.ts";
import type { DataDirectory } from "#main/data-directory.ts";
import { openFileLog } from "#main/file-log.ts";
import { chooseRuntime } from "#main/machine/choose-runtime.ts";
import { giveBackWhenQuiet } from "#main/quiet-memory.ts";
import { progressHere } from "#main/ready-report.ts";
import { clearRunning, readRunning, writeRunning } from "#main/running-file.ts";
import { isJoinedNode, readSettings } from "#main/settings.ts";

/** `kogge agent`: a node of a cluster whose server runs elsewhere, in the foreground. */
export async function agent(options: AgentOptions): Promise<void> {
  const server = serverUrl(options.server);
  const nodeName = nodeNameOf(options.nodeName ?? hostname().toLowerCase());
  const directory = agentDataDirectory(options.dataDir);
  prepareDataDirectory(directory);
  assertFree(directory);
  using log = openFileLog(join(directory.logs, "agent.log"));
  const stop = stopSignal();
  const progress = progressHere();
  const kept = readSettings(directory)?.runtime;
  const choice = chooseRuntime(options.runtime === "auto" ? (kept ?? "auto") : options.runtime);
  if (choice.why !== undefined) progress.step(choice.why);
  // Timers alone do not keep a process alive, and a server that is away is waited for with timers.
  const alive = setInterval(() => {}, 0x7fff_ffff);
  try {
    const node = await runAgent({
      directory,
      server,
      ...(options.token !== undefined && { token: options.token }),
      ...(options.nodeIp !== undefined && { nodeIp: options.nodeIp }),
      caCertHashes: options.caCertHash ?? [],
      nodeName,
      runtime: choice.runtime,
      clock: systemClock,
      random: systemRandom,
      log,
      progress,
      signal: stop.signal,
    });
    progress.done();
    await serveUntilStopped(node, { directory, server, runtime: choice.runtime, stop });
  } catch (error) {
    progress.done();
    if (stop.signal.aborted) return;
    log.error("the agent did not start", { error });
    throw error;
  } finally {
    clearInterval(alive);
  }
}

async function serveUntilStopped(
  node: JoinedNode,
  running: {
    readonly directory: DataDirectory;
    readonly server: string;
    readonly runtime: string;
    readonly stop: AbortController;
  },
): Promise<void> {
  const { directory, server, runtime, stop } = running;
  writeRunning(directory, {
    ready: true,
    startupMs: Math.round(performance.now()),
    server,
    kubeconfig: "",
    pid: process.pid,
    runtime,
    nodeCount: 1,
    nodes: [node.name],
  });
  process.stdout.write(`Node "${node.name}" (${node.address}) runs for ${server}\n`);
  using _quiet = giveBackWhenQuiet(systemClock);
  await new Promise<void>((resolve) => {
    if (stop.signal.aborted) resolve();
    stop.signal.addEventListener("abort", () => resolve(), { once: true });
  });
  await node[Symbol.asyncDispose]();
  clearRunning(directory);
}

/** Aborts at the first SIGINT or SIGTERM; a second one ends the process at once. */
function stopSignal(): AbortController {
  const stop = new AbortController();
  for (const name of ["SIGINT", "SIGTERM"] as const) {
    process.on(name, () => {
      if (stop.signal.aborted) process.exit(130);
      stop.abort(new Error("the agent ends"));
    });
  }
  return stop;
}

function serverUrl(text: string): string {
  const url = URL.parse(text);
  if (url?.protocol === "https:" && url.pathname === "/") return url.origin;
  throw new Error(`Cannot join "${text}": the server looks like https://192.0.2.2:6443`);
}

function nodeNameOf(name: string): string {
  if (/^[a-z0-9]([-.a-z0-9]{0,251}[a-z0-9])?$/.test(name)) return name;
  throw new Error(
    `Cannot join as "${name}": a node's name has small letters, digits, "-" and "."; choose one with --node-name`,
  );
}

function assertFree(directory: DataDirectory): void {
  const settings = readSettings(directory);
  const running = readRunning(directory);
  if (running !== undefined) {
    throw new Error(
      `Cannot use ${directory.root}: process ${running.pid} runs on it; choose another --data-dir`,
    );
  }
  if (settings !== undefined && !isJoinedNode(settings)) {
    throw new Error(
      `Cannot use ${directory.root}: it is a cluster's own data directory; choose another --data-dir`,
    );
  }
}
