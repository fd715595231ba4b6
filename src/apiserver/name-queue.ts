/** Names to be looked at, one after the other, each once however often it was added meanwhile. */
export interface NameQueue extends Disposable {
  add(names: Iterable<string>): void;
}

export interface NameQueueParts {
  readonly work: (name: string) => Promise<void>;
  readonly onError: (name: string, error: unknown) => void;
  /** When it is aborted nothing new is begun, and errors are nobody's concern. */
  readonly stopped: AbortSignal;
}

/** Work begins after the caller's turn, never within `add`. Disposing of it drops what waits. */
export function createNameQueue({ work, onError, stopped }: NameQueueParts): NameQueue {
  const waiting = new Set<string>();
  let isWorking = false;
  const run = async (): Promise<void> => {
    isWorking = true;
    await Promise.resolve();
    for (const name of waiting) {
      waiting.delete(name);
      if (stopped.aborted) break;
      try {
        await work(name);
      } catch (error) {
        if (!stopped.aborted) onError(name, error);
      }
    }
    isWorking = false;
  };
  return {
    add(names) {
      for (const name of names) waiting.add(name);
      if (!isWorking && waiting.size > 0) void run();
    },
    [Symbol.dispose]: () => waiting.clear(),
  };
}
