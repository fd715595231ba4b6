import type { Status, StatusCause } from "#api/generated/types.ts";

/** A refusal: what the API answers when it does not do what was asked. Carries a Kubernetes `Status`. */
export class StatusError extends Error {
  override readonly name = "StatusError";
  readonly status: Status & {
    readonly code: number;
    readonly reason: string;
    readonly message: string;
  };

  constructor(refusal: Refusal) {
    super(refusal.message);
    this.status = {
      kind: "Status",
      apiVersion: "v1",
      metadata: {},
      status: "Failure",
      message: refusal.message,
      reason: refusal.reason,
      ...(refusal.details && { details: refusal.details }),
      code: refusal.code,
    };
  }
}

export interface Refusal {
  readonly code: number;
  /** One of upstream's `metav1.StatusReason` values. */
  readonly reason: string;
  readonly message: string;
  readonly details?: Status["details"];
}

/** What refusals say about the resource they concern. */
export interface ResourceName {
  readonly group: string;
  readonly resource: string;
}

export function notFound(resource: ResourceName, name: string): StatusError {
  return new StatusError({
    code: 404,
    reason: "NotFound",
    message: `${qualified(resource)} "${name}" not found`,
    details: detailsOf(resource, name),
  });
}

export function alreadyExists(resource: ResourceName, name: string): StatusError {
  return new StatusError({
    code: 409,
    reason: "AlreadyExists",
    message: `${qualified(resource)} "${name}" already exists`,
    details: detailsOf(resource, name),
  });
}

export function conflict(resource: ResourceName, name: string, why: string): StatusError {
  return new StatusError({
    code: 409,
    reason: "Conflict",
    message: `Operation cannot be fulfilled on ${qualified(resource)} "${name}": ${why}`,
    details: detailsOf(resource, name),
  });
}

/** `invalid` names each field that is wrong; `kind` is the object's kind, as upstream words it. */
export function invalid(
  kind: { readonly group: string; readonly kind: string },
  name: string,
  causes: readonly StatusCause[],
): StatusError {
  const qualifiedKind = kind.group === "" ? kind.kind : `${kind.kind}.${kind.group}`;
  const problems = causes.map((cause) => `${cause.field}: ${cause.message}`);
  const list = problems.length === 1 ? problems[0] : `[${problems.join(", ")}]`;
  return new StatusError({
    code: 422,
    reason: "Invalid",
    message: `${qualifiedKind} "${name}" is invalid: ${list}`,
    details: { name, group: kind.group, kind: kind.kind, causes },
  });
}

export function badRequest(message: string): StatusError {
  return new StatusError({ code: 400, reason: "BadRequest", message });
}

export function forbidden(resource: ResourceName, name: string, why: string): StatusError {
  return new StatusError({
    code: 403,
    reason: "Forbidden",
    message:
      name === ""
        ? `${qualified(resource)} is forbidden: ${why}`
        : `${qualified(resource)} "${name}" is forbidden: ${why}`,
    details: detailsOf(resource, name),
  });
}

export function unauthorized(): StatusError {
  return new StatusError({ code: 401, reason: "Unauthorized", message: "Unauthorized" });
}

export function internalError(message: string): StatusError {
  return new StatusError({
    code: 500,
    reason: "InternalError",
    message: `Internal error occurred: ${message}`,
    details: { causes: [{ message }] },
  });
}

export const isNotFound = (error: unknown): boolean => hasReason(error, "NotFound");
export const isAlreadyExists = (error: unknown): boolean => hasReason(error, "AlreadyExists");
export const isConflict = (error: unknown): boolean => hasReason(error, "Conflict");
export const isExpired = (error: unknown): boolean =>
  hasReason(error, "Expired") || hasReason(error, "Gone");

/** The answer; undefined when it is that there is no such object. */
export async function ifFound<T>(answer: Promise<T>): Promise<T | undefined> {
  try {
    return await answer;
  } catch (error) {
    if (isNotFound(error)) return undefined;
    throw error;
  }
}

export function hasReason(error: unknown, reason: string): boolean {
  return error instanceof StatusError && error.status.reason === reason;
}

function qualified(resource: ResourceName): string {
  return resource.group === "" ? resource.resource : `${resource.resource}.${resource.group}`;
}

function detailsOf(resource: ResourceName, name: string): Status["details"] {
  return {
    ...(name !== "" && { name }),
    ...(resource.group !== "" && { group: resource.group }),
    kind: resource.resource,
  };
}
