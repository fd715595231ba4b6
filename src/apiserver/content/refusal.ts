import type { JsonObject } from "#api/kind.ts";
import type { StatusError } from "#api/status.ts";
import type { ApiRequest, ApiResponse, Headers } from "#apiserver/request.ts";
import { formOf, type Form } from "#apiserver/content/accept.ts";
import { encodeValue } from "#apiserver/content/encode.ts";

/** A refusal in the form the caller accepts, or else as JSON. */
export function encodeRefusal(request: ApiRequest, error: StatusError): ApiResponse {
  const retryAfter = error.status.details?.retryAfterSeconds;
  const headers: Headers = retryAfter ? [["retry-after", String(retryAfter)]] : [];
  const value = { ...error.status } as unknown as JsonObject;
  return encodeValue(
    request,
    { status: error.status.code, headers, value },
    formOfRefusal(request),
  );
}

function formOfRefusal(request: ApiRequest): Form {
  try {
    return formOf(request, { as: ["object"] });
  } catch {
    // The refusal may be that no form is acceptable; it still has to be told.
    return { media: "json", as: "object", pretty: false };
  }
}
