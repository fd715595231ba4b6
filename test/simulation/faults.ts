import { conflict } from "#api/status.ts";
import type { Random } from "#base/random.ts";
import type { Transport, TransportRequest, TransportResponse } from "#client/transport.ts";

/** How often, out of one, what goes wrong. */
export interface Faults {
  readonly conflict: number;
  /** What is asked does not arrive. */
  readonly lostRequest: number;
  /** What is asked happens, and nobody hears of it. */
  readonly lostAnswer: number;
  readonly brokenWatch: number;
}

const injected = conflict({ group: "", resource: "any" }, "injected", "injected");

/** A transport over which things go wrong; `isOn` says whether they do at the moment. */
export function faulty(
  transport: Transport,
  { faults, random, isOn }: { faults: Faults; random: Random; isOn: () => boolean },
): Transport {
  const happens = (share: number): boolean => isOn() && random() < share;
  return {
    async request(request) {
      const writes = request.method !== "GET";
      if (writes && happens(faults.conflict)) return { status: 409, value: injected.status };
      if (happens(faults.lostRequest)) throw new Error("Cannot send the request: injected");
      const answer = await transport.request(request);
      if (happens(faults.lostAnswer)) throw new Error("Cannot hear the answer: injected");
      return answer;
    },
    async watch(request) {
      if (happens(faults.brokenWatch)) throw new Error("Cannot begin to watch: injected");
      const events = await transport.watch(request);
      return (async function* () {
        for await (const event of events) {
          yield event;
          if (happens(faults.brokenWatch)) throw new Error("Cannot go on watching: injected");
        }
      })();
    },
  };
}

/** Is told of a request when it is sent, and again, with the answer, when it is answered. */
export type Listener = (request: TransportRequest, answer?: TransportResponse) => void;

/** The transport, telling of every request; it takes as long whoever listens. */
export function told(transport: Transport, tell: Listener): Transport {
  return {
    async request(request) {
      tell(request);
      const answer = await transport.request(request);
      tell(request, answer);
      return answer;
    },
    async watch(request) {
      tell(request);
      return transport.watch(request);
    },
  };
}

/**
 * The transport with requests and answers that take longer by chance: steps of the microtask queue, so that what runs
 * at the same time gets into every order, the same for the same seed.
 */
export function interleaved(transport: Transport, random: Random): Transport {
  return {
    async request(request) {
      await linger(random, stepsMax);
      const answer = await transport.request(request);
      await linger(random, stepsMax);
      return answer;
    },
    async watch(request) {
      await linger(random, stepsMax);
      const events = await transport.watch(request);
      await linger(random, stepsMax);
      return events;
    },
  };
}

const stepsMax = 8;

/** Waits for less than so many steps of the microtask queue, as chance has it. */
export async function linger(random: Random, maxSteps: number): Promise<void> {
  for (let steps = Math.floor(random() * maxSteps); steps > 0; steps--) await Promise.resolve();
}
