import { unrecognized } from "#api/decode/decode-body.ts";
import type { JsonObject } from "#api/kind.ts";
import { decodeProtobuf, encodeProtobuf, hasProtobuf } from "#api/protobuf/codec.ts";
import { notAcceptable } from "#apiserver/content/accept.ts";
import { stringAt } from "#apiserver/objects/json.ts";

/** Protobuf for callers that accept nothing else; custom resources have none. */
export function encodeAsProtobuf(value: JsonObject): Uint8Array {
  if (!hasProtobuf(stringAt(value, "apiVersion"), stringAt(value, "kind"))) throw notAcceptable();
  return encodeProtobuf(value);
}

export function decodeProtobufBody(bytes: Uint8Array, kind: string): JsonObject {
  const problem = prefixProblem(bytes);
  if (problem !== undefined) throw unrecognized(bytes, problem, kind);
  return decodeProtobuf(bytes);
}

function prefixProblem(bytes: Uint8Array): string | undefined {
  if (bytes.length === 0) return "empty data";
  if (!prefix.every((byte, at) => bytes[at] === byte)) {
    return `provided data does not appear to be a protobuf message, expected prefix [${prefix.join(" ")}]`;
  }
  return bytes.length === prefix.length ? "empty body" : undefined;
}

/** `k8s` and a zero byte. */
const prefix = [0x6b, 0x38, 0x73, 0x00];
