import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { flushCompileCache } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { createProgress } from "#cli/progress.ts";
import type { Progress } from "#cli/progress.ts";
import type { UpOptions } from "#cli/program.ts";
import { messageOf } from "#base/log.ts";
import { startCluster } from "#main/cluster.ts";
import type { Cluster } from "#main/cluster.ts";
import { chooseDataDirectory, prepareDataDirectory } from "#main/data-directory.ts";
import type { DataDirectory } from "#main/data-directory.ts";
import { openFileLog } from "#main/file-log.ts";
import { chooseRuntime } from "#main/machine/choose-runtime.ts";
import { clearRunning, readRunning, writeRunning } from "#main/running-file.ts";
import type { RunningServer } from "#main/running-file.ts";
import { readSettings, settleSettings } from "#main/settings.ts";

/** `kogge up`: starts the cluster here, or in a process of its own with `--detach`. */
export async function up(options: UpOptions): Promise<void> {
  const directory = chooseDataDirectory(options.dataDir);
  const running = readRunning(directory);
  if (running !== undefined) return reportRunning(running, options);
  prepareDataDirectory(directory);
  if (options.detach) await upDetached(directory, options);
  else await upHere(directory, options);
}

function reportRunning(running: RunningServer, options: UpOptions): void {
  process.stderr.write(`A cluster already runs here (process ${running.pid})\n`);
  printReady(running, options);
}

/** Tells the detached process when the command was given, so that `startupMs` is what the user waited. */
const startedAtVariable = "KOGGE_STARTED_AT";

/** What the starting process tells the one that waits for it. */
type Message =
  | { readonly kind: "step"; readonly text: string }
  | { readonly kind: "ready"; readonly server: RunningServer }
  | { readonly kind: "failed"; readonly message: string };

async function upHere(directory: DataDirectory, options: UpOptions): Promise<void> {
  const startMs = Number(process.env[startedAtVariable] ?? performance.timeOrigin);
  const progress = process.send ? tellingProgress() : progressHere();
  using log = openFileLog(join(directory.logs, "kogge.log"));
  const stopped = stopSignal();
  process.on("uncaughtException", (error) => {
    log.error("a bug ended the server", { error, stack: error.stack });
    process.stderr.write(`kogge: ${messageOf(error)}\n`);
    process.exit(70);
  });
  const choice = chooseRuntime(
    options.runtime === "auto" ? (readSettings(directory)?.runtime ?? "auto") : options.runtime,
  );
  if (choice.why !== undefined) progress.step(choice.why);
  const settings = await settleSettings(directory, { ...options, runtime: choice.runtime });
  let cluster: Cluster;
  try {
    cluster = await startCluster({ directory, settings, progress, log });
  } catch (error) {
    log.error("the cluster did not start", { error });
    process.send?.({ kind: "failed", message: messageOf(error) } satisfies Message);
    throw error;
  }
  const server = {
    ready: true,
    startupMs: Math.round(Date.now() - startMs),
    server: `https://127.0.0.1:${cluster.port}`,
    kubeconfig: directory.kubeconfig,
    pid: process.pid,
    runtime: settings.runtime,
    nodes: cluster.nodes.slice(0, namesMax),
  };
  writeRunning(directory, server);
  progress.done();
  flushCompileCache();
  const written = readRunning(directory);
  if (written !== undefined) {
    if (process.send)
      process.send({ kind: "ready", server: written } satisfies Message, () =>
        process.disconnect(),
      );
    else printReady(written, options);
  }
  await stopped;
  progress.step("Stopping the cluster");
  await cluster.stop();
  clearRunning(directory);
  progress.done();
}

/** The state file names at most so many nodes; `kubectl get nodes` knows them all. */
const namesMax = 100;

/** Resolves at the first SIGINT or SIGTERM; a second one ends the process at once. */
function stopSignal(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const stop = (): void => {
      if (asked) process.exit(130);
      asked = true;
      resolve();
    };
    process.on("SIGINT", stop);
    process.on("SIGTERM", stop);
    process.on("SIGHUP", () => {});
  });
}

async function upDetached(directory: DataDirectory, options: UpOptions): Promise<void> {
  const output = openSync(join(directory.logs, "output.log"), "a");
  const child = spawn(process.execPath, [process.argv[1] ?? "", ...wordsOf(directory, options)], {
    detached: true,
    stdio: ["ignore", output, output, "ipc"],
    cwd: "/",
    env: { ...process.env, [startedAtVariable]: String(performance.timeOrigin) },
  });
  closeSync(output);
  const progress = progressHere();
  const server = await new Promise<RunningServer>((resolve, reject) => {
    child.on("message", (message: Message) => {
      if (message.kind === "step") progress.step(message.text);
      else if (message.kind === "ready") resolve(message.server);
      else reject(new Error(message.message));
    });
    child.on("error", reject);
    child.on("exit", (code, signal) =>
      reject(
        new Error(
          `Cannot start the cluster: its process ended (${signal ?? code}); see ${directory.logs}`,
        ),
      ),
    );
  });
  progress.done();
  child.disconnect();
  child.unref();
  printReady(server, options);
}

function wordsOf(directory: DataDirectory, options: UpOptions): string[] {
  const words = ["up", "--data-dir", directory.root, "--runtime", options.runtime];
  if (options.port !== undefined) words.push("--port", String(options.port));
  if (options.nodes !== undefined) words.push("--nodes", String(options.nodes));
  return words;
}

function printReady(server: RunningServer, options: UpOptions): void {
  if (options.json) {
    process.stdout.write(`${JSON.stringify(readyReport(server))}\n`);
    return;
  }
  const nodes = server.nodes.length === 1 ? "1 node" : `${server.nodes.length} nodes`;
  process.stdout.write(
    `Ready in ${(server.startupMs / 1000).toFixed(2)} s: ${nodes} (${server.runtime}) at ${server.server}\n`,
  );
  process.stdout.write(`\n  export KUBECONFIG=${server.kubeconfig}\n  kubectl get nodes\n`);
}

/** The fields that `up --json` and `status --json` share. */
export function readyReport(server: RunningServer): Omit<RunningServer, "processStart"> {
  const { processStart: _processStart, ...report } = server;
  return report;
}

function progressHere(): Progress {
  const { stderr } = process;
  return createProgress(
    { write: (text) => void stderr.write(text), isTerminal: stderr.isTTY },
    () => performance.now(),
  );
}

function tellingProgress(): Progress {
  return {
    step: (text) => {
      if (process.connected) process.send?.({ kind: "step", text } satisfies Message);
    },
    done() {},
  };
}
