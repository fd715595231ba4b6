import type { Clock } from "#base/clock.ts";
import type { Random } from "#base/random.ts";
import { createAnswerCache } from "#network/dns/answer-cache.ts";
import { askUpstream } from "#network/dns/ask-upstream.ts";
import type { Query } from "#network/dns/query.ts";
import { readdress } from "#network/dns/raw-message.ts";
import type { Upstream } from "#network/dns/resolv-conf.ts";

export interface ForwarderParts {
  /** Asked before each question; in the order in which they are tried. */
  readonly servers: () => Promise<readonly Upstream[]>;
  readonly clock: Clock;
  readonly random: Random;
  readonly signal: AbortSignal;
}

export interface Forwarder {
  /** The answer of an upstream, addressed to the query. Rejects when none answers. */
  forward(query: Query): Promise<Buffer>;
}

const timeoutMs = 2000;
const rounds = 2;
const inFlightMax = 1000;

/**
 * Asks the machine's resolvers. Equal questions on their way share one answer; so a question that comes back to us
 * through a resolver that asks us waits for itself and ends, instead of going round.
 */
export function createForwarder(parts: ForwarderParts): Forwarder {
  const cache = createAnswerCache(parts.clock);
  const inFlight = new Map<string, Promise<Buffer>>();
  const ask = async (key: string, query: Query): Promise<Buffer> => {
    const answer = await askServers(parts, query);
    cache.put(key, answer);
    return answer;
  };
  return {
    async forward(query) {
      const key = keyOf(query);
      const known = cache.get(key);
      if (known) return readdress(known, query.bytes);
      let pending = inFlight.get(key);
      if (pending === undefined) {
        if (inFlight.size >= inFlightMax) throw new Error("too many questions are on their way");
        pending = ask(key, query).finally(() => inFlight.delete(key));
        inFlight.set(key, pending);
      }
      return readdress(await pending, query.bytes);
    },
  };
}

/** Answers differ by what was asked and by the options and flags of the asking. */
function keyOf(query: Query): string {
  const flags = query.bytes.readUInt16BE(2);
  const edns = query.edns === undefined ? "" : query.edns.dnssecOk ? "do" : "edns";
  return `${query.name.toLowerCase()} ${query.type} ${flags} ${edns}`;
}

async function askServers(parts: ForwarderParts, query: Query): Promise<Buffer> {
  const servers = await parts.servers();
  if (servers.length === 0) throw new Error("there is no other name server to ask");
  let refusal: Buffer | undefined;
  let failure: unknown;
  for (let round = 0; round < rounds; round += 1) {
    for (const server of servers) {
      try {
        const answer = await askUpstream(server, renumbered(query.bytes, parts.random), {
          ...parts,
          timeoutMs,
        });
        if (isFinal(answer)) return answer;
        refusal = answer;
      } catch (error) {
        if (parts.signal.aborted) throw error;
        failure = error; // The next server may answer.
      }
    }
    if (refusal) return refusal;
  }
  throw new Error(`Cannot ask ${servers.map(({ host }) => host).join(", ")}`, { cause: failure });
}

/** A server that fails or refuses to answer is not the last to be asked. */
function isFinal(answer: Buffer): boolean {
  const rcode = answer.readUInt16BE(2) & 15;
  return rcode === 0 || rcode === 3;
}

function renumbered(question: Buffer, random: Random): Buffer {
  const copy = Buffer.from(question);
  copy.writeUInt16BE(Math.floor(random() * 0x1_0000), 0);
  return copy;
}
