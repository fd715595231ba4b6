import dnsPacket, { type Answer, type Packet } from "dns-packet";
import { decode, type Query } from "#network/dns/query.ts";

/** What is answered from the cluster's own knowledge. */
export interface Reply {
  readonly rcode: number;
  readonly answers: readonly Answer[];
  readonly authorities: readonly Answer[];
  readonly additionals: readonly Answer[];
}

const flagBits = {
  authoritative: dnsPacket.AUTHORITATIVE_ANSWER,
  recursionAvailable: dnsPacket.RECURSION_AVAILABLE,
};

export function encodeReply(query: Query, reply: Reply): Buffer {
  const flags =
    reply.rcode |
    flagBits.authoritative |
    flagBits.recursionAvailable |
    (query.recursionDesired ? dnsPacket.RECURSION_DESIRED : 0);
  return dnsPacket.encode({
    type: "response",
    id: query.id,
    flags,
    questions: [questionOf(query)],
    answers: [...reply.answers],
    authorities: [...reply.authorities],
    additionals: [...reply.additionals, ...optionsFor(query)],
  });
}

/** An answer without records. */
export function encodeFailure(query: Query, rcode: number): Buffer {
  return encodeReply(query, { rcode, answers: [], authorities: [], additionals: [] });
}

/** The answer as it fits into one UDP packet: without records and marked as truncated where it does not. */
export function fitUdp(query: Query, bytes: Buffer): Buffer {
  if (bytes.length <= query.udpBytesMax) return bytes;
  const flags = bytes.readUInt16BE(2) | dnsPacket.TRUNCATED_RESPONSE;
  return dnsPacket.encode({
    type: "response",
    id: query.id,
    flags: flags & 0x7fff,
    questions: [questionOf(query)],
    additionals: optionsFor(query),
  });
}

/** The records of an upstream's answer that a CNAME's target leads to. */
export function answersIn(bytes: Buffer): readonly Answer[] {
  return decode(bytes)?.answers ?? [];
}

function questionOf(query: Query): NonNullable<Packet["questions"]>[number] {
  return { name: query.name, type: query.type as dnsPacket.RecordType };
}

/** Who asks with EDNS is answered with it. */
function optionsFor(query: Query): Answer[] {
  if (query.edns === undefined) return [];
  return [
    {
      type: "OPT",
      name: ".",
      udpPayloadSize: 1232,
      extendedRcode: 0,
      ednsVersion: 0,
      flags: query.edns.dnssecOk ? dnsPacket.DNSSEC_OK : 0,
      flag_do: query.edns.dnssecOk,
      options: [],
    } as unknown as Answer, // The types of dns-packet leave out `name`.
  ];
}
