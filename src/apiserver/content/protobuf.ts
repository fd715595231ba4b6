import type { JsonObject } from "#api/kind.ts";
import { notAcceptable } from "./accept.ts";

/** Protobuf for callers that accept nothing else. */
export function encodeAsProtobuf(_value: JsonObject): Uint8Array {
  throw notAcceptable();
}
