import { StatusError } from "#api/status.ts";

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

export function tooManyRequests(): StatusError {
  return new StatusError({
    code: 429,
    reason: "TooManyRequests",
    message: "Too many requests, please try again later.",
    details: { retryAfterSeconds: 1 },
  });
}
