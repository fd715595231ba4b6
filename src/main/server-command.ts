import { join } from "node:path";
import process from "node:process";
import { systemClock } from "#base/clock.ts";
import type { ServerOptions } from "#cli/program.ts";
import { serverFlagsOf } from "#cli/server-options.ts";
import { createProgress } from "#cli/progress.ts";
import { startCluster } from "#main/cluster.ts";
import { chooseDataDirectory, prepareDataDirectory } from "#main/data-directory.ts";
import { openFileLog } from "#main/file-log.ts";
import { giveBackWhenQuiet } from "#main/quiet-memory.ts";
import { clearRunning, writeRunning } from "#main/running-file.ts";
import { settleSettings } from "#main/settings.ts";

/** `kogge server`: the control plane without nodes, in the foreground. */
export async function server(options: ServerOptions): Promise<void> {
  const directory = chooseDataDirectory(options.dataDir);
  prepareDataDirectory(directory);
  using log = openFileLog(join(directory.logs, "kogge.log"));
  const stopped = new Promise<void>((resolve) => {
    process.once("SIGINT", resolve);
    process.once("SIGTERM", resolve);
  });
  const settings = await settleSettings(directory, {
    ...options,
    flags: serverFlagsOf(options),
    runtime: "simulated",
    nodes: 0,
  });
  const { stderr } = process;
  const progress = createProgress(
    { write: (text) => void stderr.write(text), isTerminal: stderr.isTTY },
    () => performance.now(),
  );
  const cluster = await startCluster({ directory, settings, progress, log });
  progress.done();
  writeRunning(directory, {
    ready: true,
    startupMs: Math.round(performance.now()),
    server: cluster.server,
    kubeconfig: directory.kubeconfig,
    pid: process.pid,
    runtime: settings.runtime,
    nodeCount: 0,
    nodes: [],
  });
  process.stdout.write(`Serving at ${cluster.server}; kubeconfig: ${directory.kubeconfig}\n`);
  {
    using _quiet = giveBackWhenQuiet(systemClock);
    await stopped;
  }
  await cluster.stop();
  clearRunning(directory);
}
