/** Time as an argument: the real clock in a server, a virtual one in a simulation. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `act` once after `delayMs`; the returned function cancels. A pending timer does not keep a process alive. */
  after(delayMs: number, act: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, act) {
    const timer: unknown = setTimeout(act, Math.min(delayMs, timerMaxMs));
    unref(timer);
    return () => clearTimeout(timer as Parameters<typeof clearTimeout>[0]);
  },
};

/** The longest delay `setTimeout` takes (2^31 - 1 ms, about 24 days). */
const timerMaxMs = 0x7fff_ffff;

/** Resolves after `delayMs`, or rejects with the signal's reason when it is aborted first. */
export function sleep(clock: Clock, delayMs: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve, reject) => {
    if (signal?.aborted) return reject(signal.reason as Error);
    const stop = clock.after(delayMs, () => {
      signal?.removeEventListener("abort", abort);
      resolve();
    });
    const abort = (): void => {
      stop();
      reject(signal?.reason as Error);
    };
    signal?.addEventListener("abort", abort, { once: true });
  });
}

/** The time as Kubernetes' `metav1.Time` prints it: RFC 3339 in UTC with whole seconds. */
export function rfc3339(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 19)}Z`;
}

/** The time as Kubernetes' `metav1.MicroTime` prints it: RFC 3339 in UTC with microseconds. */
export function rfc3339Micro(timeMs: number): string {
  return `${new Date(timeMs).toISOString().slice(0, 23)}000Z`;
}

function unref(timer: unknown): void {
  if (typeof timer === "object" && timer !== null && "unref" in timer) {
    (timer as { unref(): void }).unref();
  }
}
