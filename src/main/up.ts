import { spawn } from "node:child_process";
import { closeSync, openSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { UpOptions } from "#cli/program.ts";
import { serverFlagsOf, serverFlagWords } from "#cli/server-options.ts";
import { chooseDataDirectory, prepareDataDirectory } from "#main/data-directory.ts";
import type { DataDirectory } from "#main/data-directory.ts";
import { printReady, progressHere } from "#main/ready-report.ts";
import { readRunning } from "#main/running-file.ts";
import type { RunningServer } from "#main/running-file.ts";
import { readSettings } from "#main/settings.ts";
import { startedAtVariable } from "#main/start-message.ts";
import type { StartMessage } from "#main/start-message.ts";

/** `kogge up`: starts the cluster here, or in a process of its own with `--detach`, which loads no code of the server. */
export async function up(options: UpOptions): Promise<void> {
  const directory = chooseDataDirectory(options.dataDir);
  const running = readRunning(directory);
  if (running !== undefined) return reportRunning(running, options);
  prepareDataDirectory(directory);
  // What is wrong with them is told here and not in a log.
  readSettings(directory);
  if (options.detach) await upDetached(directory, options);
  else await (await import("#main/run-cluster.ts")).runCluster(directory, options);
}

function reportRunning(running: RunningServer, options: UpOptions): void {
  process.stderr.write(`A cluster already runs here (process ${running.pid})\n`);
  printReady(running, options);
}

async function upDetached(directory: DataDirectory, options: UpOptions): Promise<void> {
  const output = openSync(join(directory.logs, "output.log"), "a");
  const words = [process.argv[1] ?? "", ...wordsOf(directory, options)];
  const child = spawn(process.execPath, words, {
    detached: true,
    stdio: ["ignore", output, output, "ipc"],
    cwd: "/",
    env: { ...process.env, [startedAtVariable]: String(performance.timeOrigin) },
  });
  closeSync(output);
  const progress = progressHere();
  const server = await new Promise<RunningServer>((resolve, reject) => {
    child.on("message", (message: StartMessage) => {
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
  words.push(...serverFlagWords(serverFlagsOf(options)));
  return words;
}
