import { readFileSync } from "node:fs";
import { constants } from "node:os";
import process from "node:process";
import type { Clock } from "#base/clock.ts";
import type { RuntimeEvents } from "#agent/containerd/containerd-events.ts";
import type { ContainerState } from "#agent/runtime/container-runtime.ts";

const realTimeMin = 34;
const realTimeMax = 64;

/** False when there is no such process or signal. `name` is `SIGUSR1`, `SIGRTMIN+3`, … */
export function sendSignal(pid: number, name: string): boolean {
  const number = signalNumber(name);
  if (number === undefined) return false;
  try {
    return process.kill(pid, number);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ESRCH") return false;
    throw error;
  }
}

/** Resolves true as soon as a container has ended, false when it takes longer than `graceSeconds`. */
export async function endsInTime(
  wait: {
    readonly id: string;
    readonly graceSeconds: number;
    readonly events: RuntimeEvents;
    readonly clock: Clock;
  },
  stateOf: () => Promise<ContainerState | undefined>,
): Promise<boolean> {
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const cancel = wait.clock.after(wait.graceSeconds * 1000, () => resolve(false));
  using _listening = wait.events.onEvent(({ kind, containerId }) => {
    if (containerId === wait.id && kind !== "container-started") resolve(true);
  });
  if ((await stateOf())?.state !== "running") resolve(true);
  const ended = await promise;
  cancel();
  return ended;
}

/** Ends a process and those of its group, if it is one of this container still. */
export function killProcess(pid: number, containerId: string): void {
  try {
    if (!readFileSync(`/proc/${pid}/cgroup`, "utf8").includes(containerId)) return;
    const fields = readFileSync(`/proc/${pid}/stat`, "latin1").split(") ").at(-1)?.split(" ") ?? [];
    const leadsGroup = Number(fields[2]) === pid;
    process.kill(leadsGroup ? -pid : pid, "SIGKILL");
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    if (code !== "ENOENT" && code !== "ESRCH") throw error;
  }
}

function signalNumber(name: string): number | undefined {
  const [, edge, offset = "0"] = /^SIGRTM(IN|AX)([+-]\d+)?$/.exec(name) ?? [];
  if (edge) return (edge === "IN" ? realTimeMin : realTimeMax) + Number(offset);
  return constants.signals[name as NodeJS.Signals];
}
