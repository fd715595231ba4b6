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

/** Puts pieces together into blocks of a size that sockets take well. */
export function* blocks(pieces: Iterable<Uint8Array>): Generator<Uint8Array> {
  let block = new Uint8Array(blockBytes);
  let used = 0;
  for (const piece of pieces) {
    if (used > 0 && used + piece.length > block.length) {
      yield block.subarray(0, used);
      block = new Uint8Array(blockBytes);
      used = 0;
    }
    if (piece.length > block.length) yield piece;
    else {
      block.set(piece, used);
      used += piece.length;
    }
  }
  if (used > 0) yield block.subarray(0, used);
}

const blockBytes = 128 * 1024;

export function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
