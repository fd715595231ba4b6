/**
 * Reads ASN.1 DER (ITU-T X.690) as far as certificates and requests for them need it. What is given comes from
 * strangers: every length is checked.
 */
export interface DerValue {
  /** The first byte: class, constructed bit and number. */
  readonly tag: number;
  readonly content: Uint8Array;
  /** Tag, length and content: what is signed or passed on unchanged. */
  readonly whole: Uint8Array;
}

export const derTags = {
  boolean: 0x01,
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectIdentifier: 0x06,
  utf8String: 0x0c,
  printableString: 0x13,
  teletexString: 0x14,
  ia5String: 0x16,
  utcTime: 0x17,
  generalizedTime: 0x18,
  bmpString: 0x1e,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Thrown for bytes that are not what they should be. */
export class DerError extends Error {
  override readonly name = "DerError";
}

/** The single value that the bytes hold. @throws {DerError} also when anything follows it */
export function readDer(bytes: Uint8Array): DerValue {
  const { value, end } = valueAt(bytes, 0);
  if (end !== bytes.length) throw new DerError("asn1: syntax error: trailing data");
  return value;
}

/** The values one after the other inside of a constructed value. */
export function childrenOf(parent: DerValue): readonly DerValue[] {
  const values: DerValue[] = [];
  for (let at = 0; at < parent.content.length;) {
    const { value, end } = valueAt(parent.content, at);
    values.push(value);
    at = end;
  }
  return values;
}

/** The value itself, once it is sure to have the tag. */
export function expectTag(value: DerValue | undefined, tag: number): DerValue {
  if (value === undefined) throw new DerError("asn1: syntax error: sequence truncated");
  if (value.tag !== tag) {
    throw new DerError(
      `asn1: structure error: tags don't match (${hex(tag)} expected, ${hex(value.tag)} found)`,
    );
  }
  return value;
}

/** An object identifier in dotted form. */
export function identifierOf(value: DerValue | undefined): string {
  const { content } = expectTag(value, derTags.objectIdentifier);
  const numbers: number[] = [];
  let number = 0;
  for (const byte of content) {
    number = number * 128 + (byte & 0x7f);
    if (number > Number.MAX_SAFE_INTEGER)
      throw new DerError("asn1: structure error: OID too large");
    if (byte >= 0x80) continue;
    numbers.push(number);
    number = 0;
  }
  const [first = 0, ...rest] = numbers;
  if (content.length === 0 || (content.at(-1) ?? 0) >= 0x80) {
    throw new DerError("asn1: syntax error: truncated object identifier");
  }
  const root = Math.min(2, Math.floor(first / 40));
  return [root, first - root * 40, ...rest].join(".");
}

/** The text of one of the string types that names use. */
export function textOf(value: DerValue | undefined): string {
  switch (value?.tag) {
    case derTags.utf8String:
      return new TextDecoder("utf-8", { fatal: true }).decode(value.content);
    case derTags.printableString:
    case derTags.ia5String:
    case derTags.teletexString:
      return new TextDecoder("latin1").decode(value.content);
    case derTags.bmpString:
      return new TextDecoder("utf-16be").decode(value.content);
    default:
      throw new DerError("x509: unsupported type of string");
  }
}

/** The bytes of a BIT STRING whose length is a multiple of eight bits. */
export function bitsOf(value: DerValue | undefined): Uint8Array {
  const { content } = expectTag(value, derTags.bitString);
  if (content.length === 0 || content[0] !== 0) {
    throw new DerError("asn1: syntax error: bit string is not of whole bytes");
  }
  return content.subarray(1);
}

const lengthBytesMax = 4;

function valueAt(
  bytes: Uint8Array,
  at: number,
): { readonly value: DerValue; readonly end: number } {
  const tag = bytes[at];
  const first = bytes[at + 1];
  if (tag === undefined || first === undefined)
    throw new DerError("asn1: syntax error: data truncated");
  if ((tag & 0x1f) === 0x1f)
    throw new DerError("asn1: structure error: long tags are not supported");
  let length = first;
  let start = at + 2;
  if (first >= 0x80) {
    const count = first & 0x7f;
    if (count === 0 || count > lengthBytesMax)
      throw new DerError("asn1: syntax error: invalid length");
    length = 0;
    for (let index = 0; index < count; index += 1)
      length = length * 256 + (bytes[start + index] ?? 0);
    start += count;
  }
  const end = start + length;
  if (end > bytes.length) throw new DerError("asn1: syntax error: data truncated");
  return {
    value: { tag, content: bytes.subarray(start, end), whole: bytes.subarray(at, end) },
    end,
  };
}

function hex(tag: number): string {
  return `0x${tag.toString(16).padStart(2, "0")}`;
}
