import { type ChildProcess, spawn } from "node:child_process";
import { createHash } from "node:crypto";
import { closeSync, openSync } from "node:fs";
import { access, mkdir, readFile, rename, rm, stat, symlink, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { type Clock, sleep } from "#base/clock.ts";
import { type Log, messageOf } from "#base/log.ts";
import { cleanAfter } from "#agent/containerd/containerd-clean.ts";
import { containerdConfig, type ContainerdPaths } from "#agent/containerd/containerd-config.ts";
import { criTable } from "#agent/containerd/cri-messages.ts";
import { openGrpcChannel } from "#agent/containerd/grpc-channel.ts";
import { keepAlive } from "#agent/containerd/keep-alive.ts";
import { run } from "#agent/containerd/run.ts";
import { importImageArchive } from "#agent/images/import-archive.ts";
import { pauseImageArchive, pauseImageName } from "#agent/images/pause-image.ts";

export interface ContainerdOptions {
  readonly dataDir: string;
  /** Default: a folder named after `dataDir` below `/run/kogge`. */
  readonly runtimeDir?: string;
  /** Default: `<dataDir>/cni/conf`. */
  readonly cniConfDir?: string;
  /** Default: the first of `/usr/lib/cni` and `/opt/cni/bin` that is there. */
  readonly cniBinDir?: string;
  readonly clock: Clock;
  readonly log: Log;
}

/** A containerd that belongs to one cluster. It outlives this process until it is stopped. */
export interface Containerd {
  readonly socket: string;
  readonly paths: ContainerdPaths;
  /** It ran already, with the containers of an earlier process. */
  readonly isTakenOver: boolean;
  /** Starts it again if it died; its containers live on meanwhile. Done by itself for a process started here. */
  revive(): Promise<void>;
  /** Takes an OCI or docker archive and returns the references that it held. */
  importImage(archive: string): Promise<readonly string[]>;
  /** Ends every container, shim and mount of it, then containerd itself. */
  stop(): Promise<void>;
}

const startTimeoutMs = 15_000;
const logBytesMax = 10 * 1024 * 1024;

/**
 * Starts a containerd below the data directory, or takes over the one that an earlier, crashed agent left running.
 * The system's containerd is never touched.
 */
export function startContainerd(options: ContainerdOptions): Promise<Containerd> {
  return keepAlive(() => start(options));
}

/** The short folder that holds a data directory's sockets and volatile state. */
export function runtimeDirFor(dataDir: string): string {
  return `/run/kogge/${createHash("sha256").update(dataDir).digest("hex").slice(0, 12)}`;
}

async function start(options: ContainerdOptions): Promise<Containerd> {
  const paths = await layOut(options);
  const snapshotter = await snapshotterFor(paths.root);
  const config = containerdConfig(paths, {
    snapshotter,
    restrictOomScoreAdj: !(await hasCapability(sysResource)),
    sandboxImage: pauseImageName,
  });
  await writeFile(paths.config, config);
  const running = await runningPid(paths);
  if (running !== undefined) options.log.info("containerd taken over", { pid: running });
  const keeper = new ContainerdKeeper(paths, options, running ?? 0);
  if (running === undefined) await keeper.revive();
  await importPauseImage(paths, options.dataDir);
  return {
    socket: paths.socket,
    paths,
    isTakenOver: running !== undefined,
    importImage: (archive) => importImageArchive(paths.socket, archive),
    revive: () => keepAlive(() => keeper.revive()),
    stop: () => keepAlive(() => keeper.stop()),
  };
}

const reviveMs = 200;

/** Holds the process: starts it again when it ends without having been asked to. */
class ContainerdKeeper {
  readonly #paths: ContainerdPaths;
  readonly #options: ContainerdOptions;
  #pid: number;
  #stopping = false;
  #reviving: Promise<void> | undefined;

  constructor(paths: ContainerdPaths, options: ContainerdOptions, pid: number) {
    this.#paths = paths;
    this.#options = options;
    this.#pid = pid;
  }

  revive(): Promise<void> {
    this.#reviving ??= this.#startAgain().finally(() => (this.#reviving = undefined));
    return this.#reviving;
  }

  async stop(): Promise<void> {
    this.#stopping = true;
    await this.#reviving?.catch(() => {});
    const { clock, log } = this.#options;
    await cleanAfter({ paths: this.#paths, pid: this.#pid, clock, log });
  }

  async #startAgain(): Promise<void> {
    if (this.#stopping || (await isRunning(this.#paths, this.#pid))) return;
    const { child, pid } = await launch(this.#paths, this.#options);
    this.#pid = pid;
    child.once("exit", (code, signal) => void this.#ended({ code, signal }));
  }

  async #ended(how: {
    readonly code: number | null;
    readonly signal: string | null;
  }): Promise<void> {
    const { clock, log } = this.#options;
    if (this.#stopping) return;
    log.warn("containerd ended and is started again", how);
    await sleep(clock, reviveMs);
    await this.revive().catch((error: unknown) =>
      log.error("containerd not started again", { reason: messageOf(error) }),
    );
  }
}

async function layOut(options: ContainerdOptions): Promise<ContainerdPaths> {
  const { dataDir } = options;
  const runtimeDir = options.runtimeDir ?? runtimeDirFor(dataDir);
  const own = join(dataDir, "containerd");
  const paths: ContainerdPaths = {
    config: join(own, "config.toml"),
    root: join(own, "root"),
    state: join(runtimeDir, "containerd"),
    socket: join(runtimeDir, "containerd.sock"),
    pidFile: join(runtimeDir, "containerd.pid"),
    logFile: join(dataDir, "logs", "containerd.log"),
    cniConfDir: options.cniConfDir ?? join(dataDir, "cni", "conf"),
    cniBinDir: options.cniBinDir ?? (await cniBinDir()),
    registryDir: join(dataDir, "registries"),
    cdiDir: join(dataDir, "cdi"),
  };
  const folders = [paths.root, paths.state, dirname(paths.logFile)];
  for (const folder of [...folders, paths.cniConfDir, paths.registryDir, paths.cdiDir]) {
    await mkdir(folder, { recursive: true, mode: 0o711 });
  }
  const link = join(own, "containerd.sock");
  await rm(link, { force: true });
  await symlink(paths.socket, link);
  return paths;
}

async function cniBinDir(): Promise<string> {
  for (const folder of ["/usr/lib/cni", "/opt/cni/bin", "/usr/libexec/cni"]) {
    if (await isThere(join(folder, "bridge"))) return folder;
  }
  return "/opt/cni/bin";
}

async function launch(
  paths: ContainerdPaths,
  options: ContainerdOptions,
): Promise<{ readonly child: ChildProcess; readonly pid: number }> {
  await rm(paths.socket, { force: true });
  await shorten(paths.logFile);
  const output = openSync(paths.logFile, "a");
  const child = spawn("containerd", ["--config", paths.config], {
    detached: true,
    stdio: ["ignore", output, output],
    env: { ...process.env, NOTIFY_SOCKET: undefined },
  });
  closeSync(output);
  const failed = new Promise<never>((_, reject) => {
    child.once("error", (cause) => reject(new Error("Cannot start containerd", { cause })));
    child.once("exit", (code) => reject(new Error(`Cannot start containerd: it ended (${code})`)));
  });
  failed.catch(() => {});
  child.unref();
  const pid = child.pid ?? 0;
  await writeFile(paths.pidFile, String(pid));
  try {
    await Promise.race([failed, waitUntilServing(paths.socket, options.clock)]);
  } catch (error) {
    throw new Error(`${(error as Error).message}. Its last words: ${await lastLine(paths)}`, {
      cause: error,
    });
  }
  options.log.info("containerd started", { pid, socket: paths.socket });
  return { child, pid };
}

async function waitUntilServing(socket: string, clock: Clock): Promise<void> {
  const until = clock.now() + startTimeoutMs;
  while (!(await isThere(socket))) {
    if (clock.now() > until)
      throw new Error(`Cannot start containerd: no socket after ${startTimeoutMs} ms`);
    await sleep(clock, 10);
  }
  using channel = openGrpcChannel(socket, [criTable]);
  await channel.ready(Math.max(1, until - clock.now()));
  for (;;) {
    try {
      await channel.call("runtime.v1.RuntimeService/Version", {}, { timeoutMs: 2000 });
      return;
    } catch (error) {
      // The socket serves a moment before the CRI plugin is registered.
      if (clock.now() > until) throw error;
      await sleep(clock, 20);
    }
  }
}

/** The process of an earlier start, if it is still that containerd and answers. */
async function runningPid(paths: ContainerdPaths): Promise<number | undefined> {
  const pid = Number(await readFile(paths.pidFile, "utf8").catch(() => "0"));
  if (pid === 0) return undefined;
  if (!(await isRunning(paths, pid))) return undefined;
  using channel = openGrpcChannel(paths.socket, [criTable]);
  try {
    await channel.call("runtime.v1.RuntimeService/Version", {}, { timeoutMs: 5000 });
    return pid;
  } catch (cause) {
    throw new Error(`Cannot use containerd: its process ${pid} runs but does not answer`, {
      cause,
    });
  }
}

async function isRunning(paths: ContainerdPaths, pid: number): Promise<boolean> {
  if (pid === 0) return false;
  const command = await readFile(`/proc/${pid}/cmdline`, "utf8").catch(() => "");
  return command.split("\0").includes(paths.config);
}

async function importPauseImage(paths: ContainerdPaths, dataDir: string): Promise<void> {
  using channel = openGrpcChannel(paths.socket, [criTable]);
  const answer = await channel.call<{ image: unknown }>("runtime.v1.ImageService/ImageStatus", {
    image: { image: pauseImageName },
  });
  if (answer.image) return;
  const file = join(dataDir, "containerd", "pause.tar");
  await writeFile(file, await pauseImageArchive(process.arch));
  await importImageArchive(paths.socket, file);
  await rm(file);
}

async function snapshotterFor(root: string): Promise<"overlayfs" | "native"> {
  const probe = join(root, "overlay-probe");
  const folders = ["lower", "upper", "work", "merged"].map((name) => join(probe, name));
  for (const folder of folders) await mkdir(folder, { recursive: true });
  const [lower, upper, work, merged] = folders;
  const layers = `lowerdir=${lower},upperdir=${upper},workdir=${work}`;
  try {
    await run("mount", ["-t", "overlay", "overlay", "-o", layers, merged ?? ""]);
    await run("umount", [merged ?? ""]);
    return "overlayfs";
  } catch {
    // Any refusal means the same: this file system or kernel cannot stack layers.
    return "native";
  } finally {
    await rm(probe, { recursive: true, force: true });
  }
}

/** The capability's number in `capabilities(7)`. */
const sysResource = 24n;

async function hasCapability(capability: bigint): Promise<boolean> {
  const status = await readFile("/proc/self/status", "utf8");
  const effective = /^CapEff:\s*([0-9a-f]+)/m.exec(status)?.[1] ?? "0";
  return ((BigInt(`0x${effective}`) >> capability) & 1n) === 1n;
}

async function shorten(logFile: string): Promise<void> {
  const size = (await stat(logFile).catch(() => undefined))?.size ?? 0;
  if (size > logBytesMax) await rename(logFile, `${logFile}.old`);
}

async function lastLine(paths: ContainerdPaths): Promise<string> {
  const text = await readFile(paths.logFile, "utf8").catch(() => "");
  return text.trimEnd().split("\n").at(-1) ?? "";
}

async function isThere(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
