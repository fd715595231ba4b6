import type { BytesResponse, Headers } from "#apiserver/request.ts";

const encoder = new TextEncoder();

export function utf8(text: string): Uint8Array {
  return encoder.encode(text);
}

export function bytesResponse(
  status: number,
  content: { readonly type: string; readonly bytes: Uint8Array },
  headers: Headers = [],
): BytesResponse {
  return {
    kind: "bytes",
    status,
    headers: [["content-type", content.type], ...headers],
    lengthBytes: content.bytes.length,
    chunks: [content.bytes],
  };
}

export function textResponse(status: number, text: string): BytesResponse {
  return bytesResponse(status, { type: "text/plain; charset=utf-8", bytes: utf8(text) });
}

/** Puts pieces of a known length together into blocks: one for most lists, several for the largest. */
export function* blocks(pieces: Iterable<Uint8Array>, lengthBytes: number): Generator<Uint8Array> {
  let missing = lengthBytes;
  let block = new Uint8Array(Math.min(missing, blockBytesMax));
  let used = 0;
  for (const piece of pieces) {
    if (used + piece.length > block.length) {
      yield block.subarray(0, used);
      missing -= used;
      block = new Uint8Array(Math.max(piece.length, Math.min(missing, blockBytesMax)));
      used = 0;
    }
    block.set(piece, used);
    used += piece.length;
  }
  if (used > 0) yield block.subarray(0, used);
}

/** Larger ones would only wait for the client; smaller ones cost turns of the event loop. */
const blockBytesMax = 1 << 20;

export function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
