import { StatusError } from "#api/status.ts";
import { StoreUnavailableError, ValueTooLargeError } from "#storage/store.ts";

/** Refusals of the server itself, in upstream's words. */

export function unknownResource(): StatusError {
  return new StatusError({
    code: 404,
    reason: "NotFound",
    message: "the server could not find the requested resource",
    details: {},
  });
}

export function methodNotAllowed(): StatusError {
  return new StatusError({
    code: 405,
    reason: "MethodNotAllowed",
    message: "the server does not allow this method on the requested resource",
    details: {},
  });
}

/** What a store that could not do it means for the client; undefined for other errors. */
export function storeRefusal(error: unknown): StatusError | undefined {
  if (error instanceof StoreUnavailableError) {
    return new StatusError({
      code: 500,
      reason: "ServerTimeout",
      message: `The operation could not be completed at this time, please try again: ${error.message}`,
      details: { retryAfterSeconds: 2 },
    });
  }
  if (error instanceof ValueTooLargeError) {
    const message = `Request entity too large: ${error.message}`;
    return new StatusError({ code: 413, reason: "RequestEntityTooLarge", message });
  }
  return undefined;
}
