import { StatusError } from "#api/status.ts";
import { noteBytes } from "#apiserver/body-notes.ts";
import type { ApiRequest } from "#apiserver/request.ts";

/** Upstream's limit for a request body: 3 MiB. */
export const bodyLimitBytes = 3 * 1024 * 1024;

/** The raw body; empty when there is none. Refuses what is too long. */
export async function readBytes(request: ApiRequest): Promise<Uint8Array> {
  if (request.body.kind !== "bytes") return new Uint8Array();
  const bytes = await request.body.read(bodyLimitBytes);
  if (bytes !== undefined) {
    noteBytes(request, bytes);
    return bytes;
  }
  throw new StatusError({
    code: 413,
    reason: "RequestEntityTooLarge",
    message: `Request entity too large: limit is ${bodyLimitBytes}`,
  });
}

/** The media type of the body without parameters, in lower case; "" when none is given. */
export function contentTypeOf(request: ApiRequest): string {
  return (request.header("content-type") ?? "").split(";")[0]?.trim().toLowerCase() ?? "";
}

export function unsupportedMediaType(accepted: readonly string[]): StatusError {
  return new StatusError({
    code: 415,
    reason: "UnsupportedMediaType",
    message: `the body of the request was in an unknown format - accepted media types include: ${accepted.join(", ")}`,
  });
}
