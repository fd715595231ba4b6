/**
 * The organizations in the subject of a PKCS#10 request (RFC 2986), which is given as base64 of PEM, as in a
 * CertificateSigningRequest. Undefined when it is no such request.
 */
export function organizationsOf(encoded: string): readonly string[] | undefined {
  try {
    const pem = atob(encoded);
    const body = /-----BEGIN (?:NEW )?CERTIFICATE REQUEST-----([^-]+)-----END/.exec(pem)?.[1];
    if (body === undefined) return undefined;
    const der = Uint8Array.from(atob(body.replace(/\s/g, "")), (letter) => letter.charCodeAt(0));
    const [request] = valuesIn(der, sequence);
    const [info] = valuesIn(request?.content, sequence);
    // The version, then the subject: a sequence of sets of pairs of an identifier and a text.
    const subject = valuesIn(info?.content)[1];
    if (subject?.tag !== sequence) return undefined;
    return valuesIn(subject.content, set)
      .flatMap(({ content }) => valuesIn(content, sequence))
      .flatMap(({ content }) => {
        const [name, value] = valuesIn(content);
        const isOrganization = name !== undefined && sameBytes(name.content, organizationName);
        return isOrganization && value !== undefined ? [textOf(value)] : [];
      });
  } catch {
    // Neither base64 nor DER.
    return undefined;
  }
}

interface DerValue {
  readonly tag: number;
  readonly content: Uint8Array;
}

const sequence = 0x30;
const set = 0x31;
const bmpString = 0x1e;
/** 2.5.4.10 */
const organizationName = Uint8Array.of(0x55, 0x04, 0x0a);

/** The values that stand one after the other, or those of one tag; throws when they do not end where the bytes do. */
function valuesIn(bytes: Uint8Array = new Uint8Array(), wanted?: number): readonly DerValue[] {
  const values: DerValue[] = [];
  for (let at = 0; at < bytes.length;) {
    const tag = bytes[at] ?? 0;
    const { length, start } = lengthAt(bytes, at + 1);
    if (start + length > bytes.length) throw new RangeError("a DER value is cut off");
    if (wanted === undefined || tag === wanted)
      values.push({ tag, content: bytes.subarray(start, start + length) });
    at = start + length;
  }
  return values;
}

function lengthAt(bytes: Uint8Array, at: number): { length: number; start: number } {
  const first = bytes[at] ?? 0;
  if (first < 0x80) return { length: first, start: at + 1 };
  const count = first & 0x7f;
  if (count === 0 || count > 4) throw new RangeError("a DER length is out of range");
  const length = bytes.subarray(at + 1, at + 1 + count).reduce((sum, byte) => sum * 256 + byte, 0);
  return { length, start: at + 1 + count };
}

function textOf({ tag, content }: DerValue): string {
  return new TextDecoder(tag === bmpString ? "utf-16be" : "utf-8").decode(content);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
