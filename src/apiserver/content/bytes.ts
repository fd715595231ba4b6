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

export function concat(pieces: readonly Uint8Array[]): Uint8Array {
  const whole = new Uint8Array(pieces.reduce((sum, piece) => sum + piece.length, 0));
  let at = 0;
  for (const piece of pieces) {
    whole.set(piece, at);
    at += piece.length;
  }
  return whole;
}
