import { readFile, readdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import process from "node:process";
import { type Clock, sleep } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { messageOf } from "#base/log.ts";
import type { ContainerdPaths } from "#agent/containerd/containerd-config.ts";
import { criTable } from "#agent/containerd/cri-messages.ts";
import { run } from "#agent/containerd/run.ts";

interface Leftovers {
  readonly paths: ContainerdPaths;
  readonly pid: number;
  readonly clock: Clock;
  readonly log: Log;
}

const endTimeoutMs = 5000;

/** Leaves no process, mount or volatile file of one containerd. Images and their layers stay. */
export async function cleanAfter(leftovers: Leftovers): Promise<void> {
  const { paths, pid, log } = leftovers;
  await removeSandboxes(paths.socket, log);
  await endProcess(pid, leftovers);
  await endShims(paths.socket);
  await unmountBelow([paths.state, paths.root]);
  await rm(dirname(paths.socket), { recursive: true, force: true });
}

/** Orderly where containerd still answers, so that networks are given back; what remains is ended by force. */
async function removeSandboxes(socket: string, log: Log): Promise<void> {
  // What else is here looks at mounts, and serves nodes without containerd too.
  const { openGrpcChannel } = await import("#agent/containerd/grpc-channel.ts");
  using channel = openGrpcChannel(socket, [criTable]);
  const service = "runtime.v1.RuntimeService";
  try {
    const { items } = await channel.call<{ items: { id: string }[] }>(
      `${service}/ListPodSandbox`,
      {},
      { timeoutMs: 5000 },
    );
    await Promise.all(
      items.map(async ({ id }) => {
        const sandbox = { podSandboxId: id };
        await channel.call(`${service}/StopPodSandbox`, sandbox, { timeoutMs: 20_000 });
        await channel.call(`${service}/RemovePodSandbox`, sandbox, { timeoutMs: 20_000 });
      }),
    );
  } catch (error) {
    log.warn("pods are ended by force", { reason: messageOf(error) });
  }
}

async function endProcess(pid: number, { clock }: Leftovers): Promise<void> {
  if (pid === 0 || !signal(pid, "SIGTERM")) return;
  const until = clock.now() + endTimeoutMs;
  while (await isAlive(pid)) {
    if (clock.now() > until) signal(pid, "SIGKILL");
    await sleep(clock, 20);
    if (clock.now() > until + endTimeoutMs) {
      throw new Error(`Cannot stop containerd: process ${pid} does not end`);
    }
  }
}

/** A shim names its containerd's socket in its command line; its containers are its children. */
async function endShims(socket: string): Promise<void> {
  for (const pid of await processes()) {
    const command = (await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "")).split("\0");
    if (!command.includes(socket) || !command[0]?.includes("containerd-shim")) continue;
    for (const child of await childrenOf(pid)) signal(child, "SIGKILL");
    signal(pid, "SIGKILL");
  }
}

async function childrenOf(parent: number): Promise<readonly number[]> {
  const text = await readFile(`/proc/${parent}/task/${parent}/children`, "utf8").catch(() => "");
  return text.split(" ").map(Number).filter(Boolean);
}

async function processes(): Promise<readonly number[]> {
  return (await readdir("/proc")).map(Number).filter((pid) => pid > 0);
}

async function isAlive(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, "utf8").catch(() => "");
  // A process that ended but was not waited for yet has the state Z.
  return status !== "" && !/\) Z /.test(status);
}

function signal(pid: number, name: NodeJS.Signals): boolean {
  try {
    return process.kill(pid, name);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

/** Takes away all mounts at or below the folders, the innermost first. */
export async function unmountBelow(folders: readonly string[]): Promise<void> {
  const mounts = await mountsBelow(folders);
  for (const path of mounts.toReversed()) {
    try {
      await run("umount", ["--lazy", path]);
    } catch (error) {
      // Another mount's end may have taken this one along.
      if ((await mountsBelow([path])).includes(path)) throw error;
    }
  }
}

/** Everything that is mounted at or below the folders, in the order in which it was mounted. */
export async function mountsBelow(folders: readonly string[]): Promise<readonly string[]> {
  return (await readFile("/proc/self/mountinfo", "utf8"))
    .split("\n")
    .map((line) => unescapeMount(line.split(" ")[4] ?? ""))
    .filter((path) => folders.some((folder) => path === folder || path.startsWith(`${folder}/`)));
}

/** mountinfo writes spaces, tabs, newlines and backslashes as octal numbers. */
function unescapeMount(path: string): string {
  return path.replaceAll(/\\([0-7]{3})/g, (_, octal: string) =>
    String.fromCharCode(Number.parseInt(octal, 8)),
  );
}
