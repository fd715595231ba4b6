import type { Status } from "#api/generated/types.ts";
import type { JsonObject } from "#api/kind.ts";
import { badRequest, StatusError } from "#api/status.ts";
import { isObject, numberAt, stringAt } from "#apiserver/objects/json.ts";

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

  constructor(webhook: string, result: JsonObject | undefined) {
    super(`admission webhook ${JSON.stringify(webhook)} denied the request`);
    this.refusal = refusalOf(this.message, result ?? {});
  }
}

/** The webhook's own status as far as it is one. */
function refusalOf(denied: string, result: JsonObject): StatusError {
  const reason = stringAt(result, "reason");
  const why = stringAt(result, "message") || reason;
  const { details } = result;
  return new StatusError({
    code: codeOf(numberAt(result, "code") ?? 0),
    reason,
    message: why === "" ? `${denied} without explanation` : `${denied}: ${why}`,
    ...(isObject(details) && { details: details as Status["details"] }),
  });
}

/** A refusal is answered as one, and as something that HTTP knows. */
function codeOf(code: number): number {
  return Number.isInteger(code) && code >= 400 && code <= 599 ? code : 400;
}

export function noDryRun(webhook: string): StatusError {
  return badRequest(`admission webhook ${JSON.stringify(webhook)} does not support dry run`);
}
