import { decodeBody } from "#api/decode/decode-body.ts";
import type { BodyNotes } from "#apiserver/body-notes.ts";
import { contentTypeOf } from "#apiserver/content/body.ts";
import { decodeProtobufBody } from "#apiserver/content/protobuf.ts";
import type { ApiRequest, ApiResponse } from "#apiserver/request.ts";

/** The body of a request as JSON; undefined when there was none, or nobody read it, or it is none. */
export function requestBodyOf(request: ApiRequest, { bytes }: BodyNotes): unknown {
  if (request.body.kind === "object") return request.body.value;
  return bytes && decoded(bytes, contentTypeOf(request));
}

/** The answer with its bytes gathered, and what they say; undefined where it is no object, or too long. */
export function recordResponse(response: ApiResponse): {
  readonly response: ApiResponse;
  readonly body: unknown;
  readonly isTooLong?: boolean;
} {
  if (response.kind === "object") return { response, body: response.value };
  if (response.kind !== "bytes") return { response, body: undefined };
  if (response.lengthBytes > responseBytesMax)
    return { response, body: undefined, isTooLong: true };
  const chunks = [...response.chunks];
  const bytes = new Uint8Array(response.lengthBytes);
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  const type = response.headers.find(([name]) => name === "content-type")?.[1] ?? "";
  const body = decoded(bytes, type.split(";")[0]?.trim() ?? "");
  return { response: { ...response, chunks }, body };
}

/** As long as a request's may be. */
const responseBytesMax = 3 * 1024 * 1024;

/** Bodies that cannot be read are refused elsewhere; here they are not there. */
function decoded(bytes: Uint8Array, type: string): unknown {
  try {
    if (type.includes("protobuf")) return decodeProtobufBody(bytes, "");
    if (type.includes("yaml")) return decodeBody(bytes, "application/yaml").value;
    return JSON.parse(new TextDecoder().decode(bytes)) as unknown;
  } catch {
    return undefined;
  }
}
