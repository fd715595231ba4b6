import { type ChildProcess, spawn } from "node:child_process";
import { existsSync } from "node:fs";
import { createInterface } from "node:readline";
import { type Log, messageOf } from "#base/log.ts";

export interface ShutdownWatchParts {
  readonly log: Log;
  /** Resolves when the machine may go down. */
  readonly onShutdown: () => Promise<void>;
  /** The machine does not go down after all. */
  readonly onCancel: () => void;
  /** Default: systemd's own. */
  readonly programs?: {
    readonly monitor: readonly string[];
    readonly inhibit: readonly string[];
  };
}

const login = "org.freedesktop.login1";
const signalOfShutdown = `type='signal',interface='${login}.Manager',member='PrepareForShutdown'`;
const systemdPrograms = {
  monitor: ["busctl", "--system", "monitor", "--json=short", "--match", signalOfShutdown],
  inhibit: (
    "systemd-inhibit --what=shutdown --mode=delay --who=kogge " +
    "--why=pods-are-given-time-to-end sleep infinity"
  ).split(" "),
};

/** Whether systemd runs the machine, so that it tells of shutdowns and can be made to wait. */
export function hasSystemd(): boolean {
  return existsSync("/run/systemd/system");
}

/**
 * Holds systemd's inhibitor lock (delay), and lets go of it when the work of `onShutdown` is done: then the machine
 * goes down, at the latest after logind's `InhibitDelayMaxSec`.
 */
export function watchShutdown(parts: ShutdownWatchParts): Disposable {
  const { monitor, inhibit } = parts.programs ?? systemdPrograms;
  let lock: ChildProcess | undefined = start(inhibit, parts.log);
  const watcher = start(monitor, parts.log);
  const release = (): void => {
    lock?.kill();
    lock = undefined;
  };
  if (watcher.stdout) {
    createInterface({ input: watcher.stdout }).on("line", (line) => {
      const begins = shutdownBegins(line);
      if (begins === undefined) return;
      if (begins) void parts.onShutdown().finally(release);
      else {
        lock ??= start(inhibit, parts.log);
        parts.onCancel();
      }
    });
  }
  return {
    [Symbol.dispose]() {
      watcher.kill();
      watcher.stdout?.destroy();
      release();
    },
  };
}

/** What a line of `busctl monitor --json=short` says: a shutdown begins, is called off, or something else. */
export function shutdownBegins(line: string): boolean | undefined {
  try {
    const signal = JSON.parse(line) as { member?: string; payload?: { data?: unknown[] } };
    const [begins] = signal.payload?.data ?? [];
    return signal.member === "PrepareForShutdown" && typeof begins === "boolean"
      ? begins
      : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function start([program = "", ...words]: readonly string[], log: Log): ChildProcess {
  const child = spawn(program, words, { stdio: ["ignore", "pipe", "ignore"] });
  child.on("error", (error) =>
    log.warn("shutdowns of the machine are not waited for", { reason: messageOf(error) }),
  );
  child.unref();
  return child;
}
