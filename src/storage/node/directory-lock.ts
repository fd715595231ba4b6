import { linkSync, readFileSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";

/**
 * Holds a directory for this process through a file with its pid and start time (on Linux; a pid alone may have
 * been given to another process since). A lock whose process is gone is taken over.
 * @throws Error when a living process holds it, also this one
 */
export function lockDirectory(directory: string): Disposable {
  const path = join(directory, "store.lock");
  const mine = join(directory, `store.lock.${process.pid}`);
  const content = `${process.pid} ${startTime(process.pid)}\n`;
  writeFileSync(mine, content);
  try {
    if (!linked(mine, path)) {
      removeStale(directory, path);
      if (!linked(mine, path)) throw held(directory, readText(path));
    }
  } finally {
    rmSync(mine, { force: true });
  }
  return { [Symbol.dispose]: () => rmSync(path, { force: true }) };
}

/** Takes a dead holder's file away; puts it back when another process was faster and it is that one's by now. */
function removeStale(directory: string, path: string): void {
  const seen = readText(path);
  if (isAlive(seen)) throw held(directory, seen);
  const aside = `${path}.stale.${process.pid}`;
  try {
    renameSync(path, aside);
  } catch (error) {
    if (hasCode(error, "ENOENT")) return;
    throw error;
  }
  if (readText(aside) !== seen) linked(aside, path);
  rmSync(aside, { force: true });
}

function linked(from: string, to: string): boolean {
  try {
    linkSync(from, to);
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  }
}

function isAlive(content: string): boolean {
  const [pid, started] = content.trim().split(" ");
  if (!/^[1-9]\d*$/.test(pid ?? "")) return false;
  try {
    process.kill(Number(pid), 0);
  } catch (error) {
    if (hasCode(error, "ESRCH")) return false;
    if (!hasCode(error, "EPERM")) throw error;
  }
  const now = startTime(Number(pid));
  return now === "-" || started === "-" || now === started;
}

/** When the process started: boot and clock ticks since; "-" where the system does not tell; "ended" for a zombie. */
function startTime(pid: number): string {
  const boot = readText("/proc/sys/kernel/random/boot_id").trim();
  const fields = readText(`/proc/${pid}/stat`).split(") ")[1]?.split(" ");
  if (boot === "" || fields === undefined) return "-";
  // Its parent has not taken notice yet, but it holds nothing any more.
  return endedStates.includes(fields[0] ?? "") ? "ended" : `${boot}/${fields[19]}`;
}

const endedStates = ["Z", "X"];

function held(directory: string, content: string): Error {
  const pid = content.trim().split(" ")[0] ?? "";
  return new Error(`Cannot open the store in "${directory}": process ${pid} is using it`);
}

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT") || hasCode(error, "ESRCH") || hasCode(error, "EACCES")) return "";
    throw error;
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
