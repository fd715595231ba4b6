/** The text of a string literal without its quotes; undefined where an escape is none. */
export function parseText(body: string, raw: boolean): string | undefined {
  if (raw || !body.includes("\\")) return body;
  const parts: string[] = [];
  for (const piece of piecesOf(body)) {
    const part = typeof piece === "string" ? piece : letterOf(piece.code);
    if (part === undefined) return undefined;
    parts.push(part);
  }
  return parts.join("");
}

/** The bytes of a bytes literal: text and `\u` stand for their UTF-8, `\x` and octal escapes for single bytes. */
export function parseBytes(body: string, raw: boolean): Uint8Array | undefined {
  const encoder = new TextEncoder();
  if (raw) return encoder.encode(body);
  const bytes: number[] = [];
  for (const piece of piecesOf(body)) {
    if (typeof piece === "string") bytes.push(...encoder.encode(piece));
    else if (piece.code === undefined) return undefined;
    else if (!piece.isUnicode) bytes.push(piece.code);
    else {
      const letter = letterOf(piece.code);
      if (letter === undefined) return undefined;
      bytes.push(...encoder.encode(letter));
    }
  }
  return Uint8Array.from(bytes);
}

interface Escape {
  /** Undefined: the escape is none. */
  readonly code: number | undefined;
  readonly isUnicode: boolean;
}

const escape =
  /\\(?:x([\da-fA-F]{2})|X([\da-fA-F]{2})|u([\da-fA-F]{4})|U([\da-fA-F]{8})|([0-3][0-7]{2})|([abfnrtv"'`?\\])|[^]?)|[^\\]+/g;

const plain: Readonly<Record<string, string>> = {
  a: "\x07",
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
  v: "\v",
};

function* piecesOf(body: string): Generator<string | Escape> {
  for (const match of body.matchAll(escape)) {
    const [whole, hex, upperHex, short, long, octal, named] = match;
    if (!whole.startsWith("\\")) yield whole;
    else if (named !== undefined) yield plain[named] ?? named;
    else if (octal !== undefined) yield { code: Number.parseInt(octal, 8), isUnicode: false };
    else {
      const digits = hex ?? upperHex ?? short ?? long;
      const code = digits === undefined ? undefined : Number.parseInt(digits, 16);
      yield { code, isUnicode: short !== undefined || long !== undefined };
    }
  }
}

function letterOf(code: number | undefined): string | undefined {
  if (code === undefined || code > 0x10ffff || (code >= 0xd800 && code <= 0xdfff)) return undefined;
  return String.fromCodePoint(code);
}
