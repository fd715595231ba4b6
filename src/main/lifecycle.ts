import { existsSync, readdirSync, rmSync } from "node:fs";
import { request } from "node:https";
import process from "node:process";
import { sleep, systemClock } from "#base/clock.ts";
import type { DataDirOption, JsonOption } from "#cli/options.ts";
import { cleanLeftovers } from "#main/leftovers.ts";
import { chooseDataDirectory } from "#main/data-directory.ts";
import type { DataDirectory } from "#main/data-directory.ts";
import { openPkiDirectory } from "#apiserver/node/pki/pki-directory.ts";
import { clearRunning, readLastRunning, readRunning } from "#main/running-file.ts";
import type { RunningServer } from "#main/running-file.ts";
import { isJoinedNode, readSettings } from "#main/settings.ts";
import { readyReport } from "#main/ready-report.ts";

/** How long a cluster may take to end its pods and itself before it is ended by force. */
const stopTimeoutMs = 90_000;

/** `kogge down` */
export async function down(options: DataDirOption): Promise<void> {
  const directory = chooseDataDirectory(options.dataDir);
  const stopped = await stopCluster(directory);
  process.stdout.write(stopped ? "Stopped\n" : `No cluster runs on ${directory.root}\n`);
}

/** `kogge reset` */
export async function reset(options: DataDirOption & { readonly yes: boolean }): Promise<void> {
  const directory = chooseDataDirectory(options.dataDir);
  if (!existsSync(directory.root)) {
    process.stdout.write(`There is no ${directory.root}\n`);
    return;
  }
  if (!options.yes)
    throw new Error(`Cannot remove ${directory.root} unasked: say --yes; everything in it is lost`);
  if (!isDataDirectory(directory)) {
    throw new Error(
      `Cannot remove ${directory.root}: it does not look like a data directory (there is no cluster.json)`,
    );
  }
  await stopCluster(directory);
  rmSync(directory.root, { recursive: true, force: true });
  process.stdout.write(`Removed ${directory.root}\n`);
}

function isDataDirectory(directory: DataDirectory): boolean {
  const names = readdirSync(directory.root);
  return (
    names.length === 0 || existsSync(directory.settings) || names.every((name) => name === "logs")
  );
}

/** Ends the server and whatever a crashed one left; false when there was nothing to end. */
async function stopCluster(directory: DataDirectory): Promise<boolean> {
  const running = readRunning(directory);
  const crashed = running === undefined && readLastRunning(directory) !== undefined;
  if (running !== undefined) {
    process.kill(running.pid, "SIGTERM");
    if (!(await hasEnded(directory))) process.kill(running.pid, "SIGKILL");
  }
  await cleanLeftovers(directory);
  clearRunning(directory);
  return running !== undefined || crashed;
}

async function hasEnded(directory: DataDirectory): Promise<boolean> {
  const untilMs = Date.now() + stopTimeoutMs;
  while (readRunning(directory) !== undefined) {
    if (Date.now() > untilMs) return false;
    // The process is nobody's child: there is no event to wait for.
    await sleep({ ...systemClock, after: keepAliveTimer }, 25);
  }
  return true;
}

function keepAliveTimer(delayMs: number, act: () => void): () => void {
  const timer = setTimeout(act, delayMs);
  return () => clearTimeout(timer);
}

/** `kogge status`: exit code 0 when ready, 1 when it runs but is not ready, 3 when it does not run. */
export async function status(options: DataDirOption & JsonOption): Promise<void> {
  const directory = chooseDataDirectory(options.dataDir);
  const running = readRunning(directory);
  if (running === undefined) {
    const text = `No cluster runs on ${directory.root}; start it with \`kogge up\``;
    process.stdout.write(options.json ? `${JSON.stringify({ ready: false })}\n` : `${text}\n`);
    process.exitCode = 3;
    return;
  }
  // A node that joined says that it runs; whether it is Ready, the cluster knows.
  const joined = isJoinedNode(readSettings(directory));
  const ready = joined || (await isReady(directory, running));
  process.exitCode = ready ? 0 : 1;
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ ...readyReport(running), ready })}\n`);
    return;
  }
  process.stdout.write(
    `${ready ? "Ready" : "Not ready"}: ${running.server}, process ${running.pid}, ${running.runtime}\n`,
  );
  process.stdout.write(
    `nodes: ${running.nodeCount} (${running.nodes.slice(0, 5).join(", ")}${running.nodeCount > 5 ? ", …" : ""})\n${joined ? "" : `kubeconfig: ${running.kubeconfig}\n`}`,
  );
}

const answerTimeoutMs = 3000;

function isReady(directory: DataDirectory, running: RunningServer): Promise<boolean> {
  const { authority } = openPkiDirectory(directory.pki, Date.now());
  return new Promise((resolve) => {
    const asked = request(
      `${running.server}/readyz`,
      { ca: authority.certificate, timeout: answerTimeoutMs },
      (answer) => {
        answer.resume();
        resolve(answer.statusCode === 200);
      },
    );
    asked.on("timeout", () => asked.destroy());
    asked.on("error", () => resolve(false));
    asked.end();
  });
}
