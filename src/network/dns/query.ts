import dnsPacket, { type DecodedPacket } from "dns-packet";

/** One question as it came. */
export interface Query {
  readonly id: number;
  /** As given: answers repeat the letters' case, which some clients check. */
  readonly name: string;
  /** As `dns-packet` names it: `A`, `SRV`, `UNKNOWN_65`. */
  readonly type: string;
  readonly class: string;
  readonly recursionDesired: boolean;
  /** The largest answer the client takes over UDP. */
  readonly udpBytesMax: number;
  /** Present when the client speaks EDNS (RFC 6891). */
  readonly edns?: { readonly dnssecOk: boolean };
  readonly bytes: Buffer;
}

export type Received =
  | { readonly kind: "query"; readonly query: Query }
  /** To be answered with only a header. */
  | { readonly kind: "refuse"; readonly id: number; readonly rcode: number }
  | { readonly kind: "ignore" };

export const rcodes = {
  formatError: 1,
  serverFailure: 2,
  noName: 3,
  notImplemented: 4,
  refused: 5,
};

const headerBytes = 12;
const udpBytesMin = 512;
/** What passes every usual network unfragmented (DNS flag day 2020). */
const udpBytesOwnMax = 1232;

/** Reads what a client sent; never throws. Answers are ignored, so two servers cannot keep each other busy. */
export function receive(bytes: Buffer): Received {
  if (bytes.length < headerBytes || (bytes.readUInt16BE(2) & 0x8000) !== 0) {
    return { kind: "ignore" };
  }
  const id = bytes.readUInt16BE(0);
  if (((bytes.readUInt16BE(2) >> 11) & 15) !== 0) {
    return { kind: "refuse", id, rcode: rcodes.notImplemented };
  }
  const packet = decode(bytes);
  const [question, ...others] = packet?.questions ?? [];
  if (packet === undefined || question === undefined || others.length > 0) {
    return { kind: "refuse", id, rcode: rcodes.formatError };
  }
  const kind = question.class ?? "IN";
  if (kind !== "IN") return { kind: "refuse", id, rcode: rcodes.refused };
  const option = packet.additionals?.find((record) => record.type === "OPT");
  const offered = option && "udpPayloadSize" in option ? option.udpPayloadSize : udpBytesMin;
  return {
    kind: "query",
    query: {
      id,
      name: question.name,
      type: question.type,
      class: kind,
      recursionDesired: (bytes.readUInt16BE(2) & dnsPacket.RECURSION_DESIRED) !== 0,
      udpBytesMax: Math.min(Math.max(offered, udpBytesMin), udpBytesOwnMax),
      ...(option && { edns: { dnssecOk: "flag_do" in option && option.flag_do === true } }),
      bytes,
    },
  };
}

/** A header that only says why there is no answer. */
export function refusal(id: number, rcode: number): Buffer {
  const header = Buffer.alloc(headerBytes);
  header.writeUInt16BE(id, 0);
  header.writeUInt16BE(0x8000 | rcode, 2);
  return header;
}

/** The packet, or undefined when it is none. */
export function decode(bytes: Buffer): DecodedPacket | undefined {
  try {
    return dnsPacket.decode(bytes);
  } catch {
    // The decoder throws errors of many kinds for what is no DNS message.
    return undefined;
  }
}
