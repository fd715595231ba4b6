import { Buffer } from "node:buffer";

/**
 * Keys as bytes: each UTF-16 code unit encoded on its own the way UTF-8 does (CESU-8). The order of such bytes is
 * the order of the code units, which plain UTF-8 breaks between surrogate pairs and U+E000–U+FFFF. For keys
 * without surrogates, that is nearly all, the two are the same bytes.
 */
export function encodeKey(key: string): Buffer {
  if (!surrogate.test(key)) return Buffer.from(key, "utf8");
  const bytes: number[] = [];
  for (let at = 0; at < key.length; at++) bytes.push(...encodeUnit(key.charCodeAt(at)));
  return Buffer.from(bytes);
}

/** Of all the bytes, or of those from `start` to before `end`. */
export function decodeKey(bytes: Buffer, start = 0, end = bytes.length): string {
  const text = bytes.toString("utf8", start, end);
  // An encoded surrogate is not UTF-8: each of its bytes is replaced.
  return text.includes("\ufffd") ? decodeUnits(bytes.subarray(start, end)) : text;
}

function decodeUnits(bytes: Buffer): string {
  let key = "";
  for (let at = 0; at < bytes.length;) {
    const first = bytes[at] ?? 0;
    const length = first < 0x80 ? 1 : first < 0xe0 ? 2 : 3;
    let unit = length === 1 ? first : length === 2 ? first & 0x1f : first & 0x0f;
    for (let next = 1; next < length; next++) unit = (unit << 6) | ((bytes[at + next] ?? 0) & 0x3f);
    key += String.fromCharCode(unit);
    at += length;
  }
  return key;
}

const surrogate = /[\ud800-\udfff]/;

function encodeUnit(unit: number): readonly number[] {
  if (unit < 0x80) return [unit];
  if (unit < 0x800) return [0xc0 | (unit >> 6), 0x80 | (unit & 0x3f)];
  return [0xe0 | (unit >> 12), 0x80 | ((unit >> 6) & 0x3f), 0x80 | (unit & 0x3f)];
}
