/**
 * The few ASN.1 DER encodings that a certificate is made of (ITU-T X.690). Each function returns one complete
 * tag-length-value.
 */
export function sequence(...parts: readonly Uint8Array[]): Uint8Array {
  return tagged(0x30, concat(parts));
}

/** A SET OF: DER orders its parts by their encoding. */
export function set(...parts: readonly Uint8Array[]): Uint8Array {
  return tagged(0x31, concat(parts.toSorted((left, right) => Buffer.compare(left, right))));
}

/** A non-negative integer from its big-endian bytes. */
export function integer(bytes: Uint8Array): Uint8Array {
  const firstUsed = bytes.findIndex((byte) => byte !== 0);
  const trimmed = firstUsed < 0 ? Uint8Array.of(0) : bytes.subarray(firstUsed);
  const positive = (trimmed[0] ?? 0) >= 0x80 ? concat([Uint8Array.of(0), trimmed]) : trimmed;
  return tagged(0x02, positive);
}

export function boolean(value: boolean): Uint8Array {
  return tagged(0x01, Uint8Array.of(value ? 0xff : 0));
}

export function octetString(bytes: Uint8Array): Uint8Array {
  return tagged(0x04, bytes);
}

export function bitString(bytes: Uint8Array, unusedBits = 0): Uint8Array {
  return tagged(0x03, concat([Uint8Array.of(unusedBits), bytes]));
}

export function utf8String(text: string): Uint8Array {
  return tagged(0x0c, Buffer.from(text, "utf8"));
}

/** An object identifier in dotted form. */
export function objectIdentifier(dotted: string): Uint8Array {
  const [first = 0, second = 0, ...rest] = dotted.split(".").map(Number);
  return tagged(0x06, Uint8Array.from([first * 40 + second, ...rest.flatMap(base128)]));
}

/** UTCTime before 2050, GeneralizedTime from then on, as RFC 5280 asks. */
export function time(timeMs: number): Uint8Array {
  const digits = new Date(timeMs).toISOString().replaceAll(/[-:T]|\.\d+/g, "");
  const early = new Date(timeMs).getUTCFullYear() < 2050;
  return early ? tagged(0x17, Buffer.from(digits.slice(2))) : tagged(0x18, Buffer.from(digits));
}

/** A context-specific tag; `constructed` when it wraps other values. */
export function context(tag: number, content: Uint8Array, constructed: boolean): Uint8Array {
  return tagged((constructed ? 0xa0 : 0x80) | tag, content);
}

function tagged(tag: number, content: Uint8Array): Uint8Array {
  return concat([Uint8Array.of(tag), lengthOf(content.length), content]);
}

function lengthOf(length: number): Uint8Array {
  if (length < 0x80) return Uint8Array.of(length);
  const bytes: number[] = [];
  for (let rest = length; rest > 0; rest >>>= 8) bytes.unshift(rest & 0xff);
  return Uint8Array.from([0x80 | bytes.length, ...bytes]);
}

function base128(value: number): number[] {
  const digits = [value & 0x7f];
  for (let rest = value >>> 7; rest > 0; rest >>>= 7) digits.unshift((rest & 0x7f) | 0x80);
  return digits;
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  return Buffer.concat(parts);
}
