import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Client } from "#client/client.ts";
import { leadWhileElected } from "#reconcile/lease-election.ts";

export interface ElectedParts {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  /** The lease in `kube-system` that one of the servers holds. */
  readonly lease: string;
  /** Unique among the servers. */
  readonly identity: string;
}

/**
 * Runs something in only one of the servers that share a store: `start` is called when this one's turn begins, and
 * what it answers is disposed of when the turn ends. Disposing gives the turn to another server.
 */
export function runElected(
  parts: ElectedParts,
  start: (signal: AbortSignal) => AsyncDisposable,
): AsyncDisposable {
  const stop = new AbortController();
  const { lease: name, client, clock, log, identity } = parts;
  const election = leadWhileElected(
    { client, clock, log, identity, name, namespace: "kube-system", signal: stop.signal },
    async (signal) => {
      await using _ = start(signal);
      await aborted(signal);
    },
  );
  return {
    [Symbol.asyncDispose]: async () => {
      stop.abort(new Error("the server stops"));
      await election;
    },
  };
}

function aborted(signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) =>
    signal.addEventListener("abort", () => resolve(), { once: true }),
  );
}
