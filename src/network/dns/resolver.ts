import type { Answer } from "dns-packet";
import dnsPacket from "dns-packet";
import type { Clock } from "#base/clock.ts";
import { InvariantError } from "#base/invariant.ts";
import type { Log } from "#base/log.ts";
import type { Random } from "#base/random.ts";
import type { Forwarder } from "#network/dns/forwarder.ts";
import { receive, rcodes, refusal, type Query } from "#network/dns/query.ts";
import { answersIn, encodeFailure, encodeReply, fitUdp } from "#network/dns/reply.ts";
import { lookUp, ttlSeconds, type Found, type Zone } from "#network/dns/zone.ts";

export interface ResolverParts {
  readonly zone: Zone;
  readonly forwarder: Forwarder;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
}

/** Answers one message, whatever it holds; undefined where silence is the answer. */
export type Resolver = (bytes: Buffer, transport: "udp" | "tcp") => Promise<Buffer | undefined>;

export function createResolver(parts: ResolverParts): Resolver {
  return async (bytes, transport) => {
    const received = receive(bytes);
    if (received.kind === "ignore") return undefined;
    if (received.kind === "refuse") return refusal(received.id, received.rcode);
    const { query } = received;
    const answer = await answerQuery(parts, query);
    return transport === "udp" ? fitUdp(query, answer) : answer;
  };
}

async function answerQuery(parts: ResolverParts, query: Query): Promise<Buffer> {
  try {
    const found = lookUp(parts.zone, query.name, query.type);
    if (found.kind === "elsewhere") return await parts.forwarder.forward(query);
    return encodeReply(query, await replyTo(parts, query, found));
  } catch (error) {
    if (error instanceof InvariantError) throw error;
    parts.log.debug("name not resolved", { name: query.name, type: query.type, error });
    return failure(query);
  }
}

/** Some names can be read, but not written again. */
function failure(query: Query): Buffer {
  try {
    return encodeFailure(query, rcodes.serverFailure);
  } catch {
    return refusal(query.id, rcodes.formatError);
  }
}

const nothing = { rcode: 0, answers: [], authorities: [], additionals: [] };

async function replyTo(
  parts: ResolverParts,
  query: Query,
  found: Exclude<Found, { kind: "elsewhere" }>,
): Promise<Parameters<typeof encodeReply>[1]> {
  switch (found.kind) {
    case "records":
      return {
        ...nothing,
        answers: shuffled(found.answers, parts.random),
        additionals: found.additionals,
      };
    case "alias":
      return { ...nothing, answers: await follow(parts, query, found.target) };
    case "no-data":
      if (query.type === "SOA" && query.name.toLowerCase() === found.origin) {
        return { ...nothing, answers: [authorityOf(parts, query.name)] };
      }
      return { ...nothing, authorities: [authorityOf(parts, found.origin)] };
    case "no-name":
      return {
        ...nothing,
        rcode: rcodes.noName,
        authorities: [authorityOf(parts, found.origin)],
      };
  }
}

/** Names that lead to other names, one after the other. */
const aliasesMax = 8;

/** The CNAME record and, for addresses, those its target has: most clients do not ask again. */
async function follow(parts: ResolverParts, query: Query, first: string): Promise<Answer[]> {
  const answers: Answer[] = [];
  let name = query.name;
  let target = first;
  for (let count = 0; count < aliasesMax; count += 1) {
    answers.push({ name, type: "CNAME", ttl: ttlSeconds, data: target });
    if (query.type !== "A" && query.type !== "AAAA") return answers;
    const found = lookUp(parts.zone, target, query.type);
    if (found.kind === "elsewhere") {
      return [...answers, ...(await lookUpOutside(parts, query, target))];
    }
    if (found.kind === "records") return [...answers, ...found.answers];
    if (found.kind !== "alias") return answers;
    name = target;
    target = found.target;
  }
  throw new Error(`Cannot follow "${query.name}": more than ${aliasesMax} aliases`);
}

async function lookUpOutside(
  parts: ResolverParts,
  query: Query,
  name: string,
): Promise<readonly Answer[]> {
  const question = {
    type: "query" as const,
    id: Math.floor(parts.random() * 0x1_0000),
    flags: dnsPacket.RECURSION_DESIRED,
    questions: [{ name, type: query.type as dnsPacket.RecordType }],
  };
  const asked = receive(dnsPacket.encode(question));
  if (asked.kind !== "query") return [];
  const answer = await parts.forwarder.forward(asked.query);
  return answersIn(answer).filter(({ type }) => type === "CNAME" || type === query.type);
}

/** How long "there is no such name" may be remembered, as CoreDNS has it. */
const negativeTtlSeconds = 5;

function authorityOf({ clock, zone }: ResolverParts, origin: string): Answer {
  return {
    name: origin,
    type: "SOA",
    ttl: negativeTtlSeconds,
    data: {
      mname: `ns.dns.${zone.domain}`,
      rname: `hostmaster.${zone.domain}`,
      serial: Math.floor(clock.now() / 1000) % 2 ** 32,
      refresh: 7200,
      retry: 1800,
      expire: 86_400,
      minimum: negativeTtlSeconds,
    },
  };
}

/** Clients take the first address: each comes first in turn. */
function shuffled(answers: readonly Answer[], random: Random): readonly Answer[] {
  const copy = [...answers];
  for (let last = copy.length - 1; last > 0; last -= 1) {
    const other = Math.floor(random() * (last + 1));
    const [one, two] = [copy[last], copy[other]];
    if (one && two) [copy[last], copy[other]] = [two, one];
  }
  return copy;
}
