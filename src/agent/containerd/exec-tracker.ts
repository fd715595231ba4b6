import type { Clock } from "#base/clock.ts";
import { killProcess } from "#agent/containerd/process-signals.ts";
import type { ProcessStreams } from "#agent/streams/process-streams.ts";

/** A process that was started in a running container, as the runtime's events tell of it. */
export interface ExecStarted {
  readonly containerId: string;
  readonly pid: number;
}

/** How long the event of a start is waited for. */
const patienceMs = 5000;

/**
 * Knows which process belongs to which exec, so that it can be ended when its client goes: CRI has no call for that,
 * and the process would run on. Events name the container and the process but not the request, so the commands of one
 * container are started one after another, each until its event has come; they run side by side.
 */
export class ExecTracker {
  readonly #clock: Clock;
  readonly #waiting = new Map<string, (pid: number) => void>();
  readonly #last = new Map<string, Promise<void>>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  started({ containerId, pid }: ExecStarted): void {
    this.#waiting.get(containerId)?.(pid);
  }

  /** Starts a command that runs to its end by itself. */
  async call<T>(containerId: string, start: () => Promise<T>): Promise<T> {
    const turn = await this.#takeTurn(containerId, () => {});
    try {
      return await start();
    } finally {
      turn.leave();
    }
  }

  /** Opens the streams of a command, whose process is ended when they are closed before it has. */
  async run(containerId: string, connect: () => Promise<ProcessStreams>): Promise<ProcessStreams> {
    let pid: number | undefined;
    let isEnded = false;
    let isClosed = false;
    const endProcess = (): void => {
      if (isClosed && !isEnded && pid !== undefined) killProcess(pid, containerId);
    };
    const turn = await this.#takeTurn(containerId, (found) => {
      pid = found;
      endProcess();
    });
    try {
      const streams = await connect();
      void streams.ended.then(() => {
        isEnded ||= !isClosed;
        turn.leave();
      });
      return {
        ...streams,
        close() {
          isClosed = true;
          endProcess();
          streams.close();
        },
      };
    } catch (error) {
      turn.leave();
      throw error;
    }
  }

  /** Waits until the commands before have been started. */
  async #takeTurn(containerId: string, onPid: (pid: number) => void) {
    const before = this.#last.get(containerId);
    const { promise, resolve } = Promise.withResolvers<void>();
    this.#last.set(containerId, promise);
    await before;
    const isMine = (pid: number): void => {
      leave();
      onPid(pid);
    };
    const cancel = this.#clock.after(patienceMs, () => leave());
    const leave = (): void => {
      cancel();
      if (this.#waiting.get(containerId) === isMine) this.#waiting.delete(containerId);
      if (this.#last.get(containerId) === promise) this.#last.delete(containerId);
      resolve();
    };
    this.#waiting.set(containerId, isMine);
    return { leave };
  }
}
