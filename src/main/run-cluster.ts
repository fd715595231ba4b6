import { flushCompileCache } from "node:module";
import { join } from "node:path";
import process from "node:process";
import { systemClock } from "#base/clock.ts";
import type { Progress } from "#cli/progress.ts";
import type { UpOptions } from "#cli/program.ts";
import { serverFlagsOf } from "#cli/server-options.ts";
import { messageOf } from "#base/log.ts";
import { startCluster } from "#main/cluster.ts";
import type { Cluster } from "#main/cluster.ts";
import type { DataDirectory } from "#main/data-directory.ts";
import { openFileLog } from "#main/file-log.ts";
import { giveBackWhenQuiet } from "#main/quiet-memory.ts";
import { chooseRuntime } from "#main/machine/choose-runtime.ts";
import { printReady, progressHere } from "#main/ready-report.ts";
import { clearRunning, readRunning, writeRunning } from "#main/running-file.ts";
import { readSettings, settleSettings } from "#main/settings.ts";
import { startedAtVariable } from "#main/start-message.ts";
import type { StartMessage } from "#main/start-message.ts";

/** Runs the cluster of a data directory in this process until it is told to end. */
export async function runCluster(directory: DataDirectory, options: UpOptions): Promise<void> {
  const startMs = Number(process.env[startedAtVariable] ?? performance.timeOrigin);
  const progress = process.send ? tellingProgress() : progressHere();
  using log = openFileLog(join(directory.logs, "kogge.log"));
  const stopped = stopSignal();
  // On a full disk what is said is lost, by libraries too; that must not end the server.
  for (const output of [process.stdout, process.stderr]) output.on("error", () => {});
  process.on("uncaughtException", (error) => {
    log.error("a bug ended the server", { error, stack: error.stack });
    process.stderr.write(`kogge: ${messageOf(error)}\n`);
    process.exit(70);
  });
  const choice = chooseRuntime(
    options.runtime === "auto" ? (readSettings(directory)?.runtime ?? "auto") : options.runtime,
  );
  if (choice.why !== undefined) progress.step(choice.why);
  const settings = await settleSettings(directory, {
    ...options,
    flags: serverFlagsOf(options),
    runtime: choice.runtime,
  });
  let cluster: Cluster;
  try {
    cluster = await startCluster({ directory, settings, progress, log });
  } catch (error) {
    log.error("the cluster did not start", { error });
    process.send?.({ kind: "failed", message: messageOf(error) } satisfies StartMessage);
    throw error;
  }
  const server = {
    ready: true,
    startupMs: Math.round(Date.now() - startMs),
    server: cluster.server,
    kubeconfig: directory.kubeconfig,
    pid: process.pid,
    runtime: settings.runtime,
    nodeCount: cluster.nodes.length,
    nodes: cluster.nodes.slice(0, namesMax),
  };
  writeRunning(directory, server);
  progress.done();
  const written = readRunning(directory);
  if (written !== undefined) {
    if (process.send)
      process.send({ kind: "ready", server: written } satisfies StartMessage, () =>
        process.disconnect(),
      );
    else printReady(written, options);
  }
  // A server may run for months; the next start should not have to compile again what this one did.
  setImmediate(flushCompileCache);
  {
    using _quiet = giveBackWhenQuiet(systemClock);
    await stopped;
  }
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

function tellingProgress(): Progress {
  return {
    step: (text) => {
      if (process.connected) process.send?.({ kind: "step", text } satisfies StartMessage);
    },
    done() {},
  };
}
