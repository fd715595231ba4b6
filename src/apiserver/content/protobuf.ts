import type { JsonObject } from "#api/kind.ts";
import { decodeProtobuf, encodeProtobuf, hasProtobuf } from "#api/protobuf/codec.ts";
import { notAcceptable } from "#apiserver/content/accept.ts";
import { stringAt } from "#apiserver/objects/json.ts";

/** Protobuf for callers that accept nothing else; custom resources have none. */
export function encodeAsProtobuf(value: JsonObject): Uint8Array {
  if (!hasProtobuf(stringAt(value, "apiVersion"), stringAt(value, "kind"))) throw notAcceptable();
  return encodeProtobuf(value);
}

export function decodeProtobufBody(bytes: Uint8Array): JsonObject {
  return decodeProtobuf(bytes);
}
