import { readFileSync } from "node:fs";
import process from "node:process";
import type { DataDirectory } from "#main/data-directory.ts";
import { NotJsonError, readJsonFile, removeFile, writeJsonFile } from "#main/json-file.ts";

/** What a running server says of itself: the fields that `up --json` and `status --json` print. */
export interface RunningServer {
  readonly ready: boolean;
  readonly startupMs: number;
  readonly server: string;
  readonly kubeconfig: string;
  readonly pid: number;
  readonly runtime: string;
  readonly nodeCount: number;
  /** The names of the first nodes; `kubectl get nodes` knows them all. */
  readonly nodes: readonly string[];
  /** When the process was started, so that a recycled pid is not taken for it. */
  readonly processStart: string;
}

export function writeRunning(
  directory: DataDirectory,
  server: Omit<RunningServer, "processStart">,
): void {
  writeJsonFile(directory.running, { ...server, processStart: processStart(server.pid) });
}

/** The server that runs on this data directory; undefined when none does. */
export function readRunning(directory: DataDirectory): RunningServer | undefined {
  const written = readLastRunning(directory);
  return written !== undefined && isAlive(written) ? written : undefined;
}

/**
 * What the last server wrote, whether it still runs or not. A file that a crash of the machine left unreadable says
 * nothing: whether a server runs all the same, the store's lock knows.
 */
export function readLastRunning(directory: DataDirectory): RunningServer | undefined {
  try {
    const written = readJsonFile<Partial<RunningServer> | null>(directory.running);
    return Number.isInteger(written?.pid) ? (written as RunningServer) : undefined;
  } catch (error) {
    if (error instanceof NotJsonError) return undefined;
    throw error;
  }
}

export function clearRunning(directory: DataDirectory): void {
  removeFile(directory.running);
}

function isAlive(server: RunningServer): boolean {
  try {
    process.kill(server.pid, 0);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== "EPERM") return false;
  }
  return processStart(server.pid) === server.processStart;
}

/** On Linux the start time in clock ticks since boot, with the boot's id; elsewhere "". */
function processStart(pid: number): string {
  if (process.platform !== "linux") return "";
  try {
    const stat = readFileSync(`/proc/${pid}/stat`, "utf8");
    const [state = "", ...rest] = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
    // A zombie has ended; only its parent has not taken notice.
    if (state === "Z" || state === "X") return "gone";
    const ticks = rest[18] ?? "";
    return `${readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim()}:${ticks}`;
  } catch {
    return "gone";
  }
}
