import type { Status } from "#api/generated/types.ts";
import { badRequest, StatusError } from "#api/status.ts";

/** A webhook that could not be asked, or whose answer says nothing: the failure policy decides what that means. */
export class CallFailure extends Error {
  override readonly name = "CallFailure";
  /** For metrics: the status the call ended with. */
  readonly code: number;

  constructor(webhook: string, reason: string, code: number) {
    super(`failed calling webhook ${JSON.stringify(webhook)}: ${reason}`);
    this.code = code;
  }
}

/** A webhook's no. */
export class Denial extends Error {
  override readonly name = "Denial";
  readonly refusal: StatusError;

  constructor(webhook: string, result: Partial<Status> | undefined) {
    super(`admission webhook ${JSON.stringify(webhook)} denied the request`);
    this.refusal = refusalOf(this.message, result ?? {});
  }
}

function refusalOf(denied: string, result: Partial<Status>): StatusError {
  const { code = 0, reason = "", message = "", details } = result;
  const why = message || reason;
  return new StatusError({
    code: code < 400 ? 400 : code,
    reason,
    message: why === "" ? `${denied} without explanation` : `${denied}: ${why}`,
    ...(details && { details }),
  });
}

export function noDryRun(webhook: string): StatusError {
  return badRequest(`admission webhook ${JSON.stringify(webhook)} does not support dry run`);
}
