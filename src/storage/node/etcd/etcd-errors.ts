import { status, type ServiceError } from "@grpc/grpc-js";
import { StoreUnavailableError, ValueTooLargeError } from "#storage/store.ts";

/** What a failed call tells of the request. */
export type Failure =
  /** It was not looked at: another endpoint, or the same one later, may take it. */
  | "refused"
  /** It may or may not have been carried out. */
  | "doubtful"
  /** Asking again would be answered the same. */
  | "final";

export function failureOf(error: ServiceError): Failure {
  const { code, details } = error;
  if (isBroken(code)) return neverSent.test(details) ? "refused" : "doubtful";
  if (code === status.RESOURCE_EXHAUSTED && details.includes("too many requests")) return "refused";
  return "final";
}

/** A connection that broke shows in several ways, the last two when the server dies amid an answer. */
function isBroken(code: number): boolean {
  return [
    status.UNAVAILABLE,
    status.DEADLINE_EXCEEDED,
    status.CANCELLED,
    status.INTERNAL,
    status.UNKNOWN,
  ].includes(code);
}

const neverSent = /^No connection established|^Name resolution failed|no leader$|not capable/;

export function isCompacted(error: ServiceError): boolean {
  return error.details.includes("revision has been compacted");
}

export function isFuture(error: ServiceError): boolean {
  return error.details.includes("is a future revision");
}

/** The error as the users of the store see it. */
export function storeError(action: string, error: ServiceError): Error {
  const { code, details } = error;
  const cause = { cause: error };
  if (isTooLarge(error)) {
    return new ValueTooLargeError(
      `Cannot ${action}: etcd takes no request so large (--max-request-bytes of etcd, by default 1.5 MiB)`,
      cause,
    );
  }
  if (details.includes("database space exceeded")) {
    return new Error(
      `Cannot ${action}: etcd's database is full; compact and defragment it, or raise its --quota-backend-bytes, then \`etcdctl alarm disarm\``,
      cause,
    );
  }
  if (isAccessProblem(error)) {
    return new Error(`Cannot ${action}: etcd refuses this client: ${plain(details)}`, cause);
  }
  if (isBroken(code)) return unavailable(action, error);
  return new Error(`Cannot ${action}: etcd answers: ${plain(details)}`, cause);
}

export function unavailable(action: string, error: ServiceError): StoreUnavailableError {
  return new StoreUnavailableError(
    `Cannot ${action}: etcd does not answer: ${plain(error.details)}`,
    { cause: error },
  );
}

export function isAccessProblem({ code, details }: ServiceError): boolean {
  return (
    code === status.PERMISSION_DENIED ||
    code === status.UNAUTHENTICATED ||
    /user name is empty|permission denied|invalid auth token/.test(details)
  );
}

function isTooLarge({ code, details }: ServiceError): boolean {
  return (
    details.includes("request is too large") ||
    (code === status.RESOURCE_EXHAUSTED && /larger than max/.test(details))
  );
}

/** gRPC's words for a connection that failed hold the reason at their end. */
function plain(details: string): string {
  const reason = /Last error: (.*?)\.? ?(Resolution note:.*)?$/.exec(details)?.[1];
  return (reason ?? details).replace(/^etcdserver: /, "").replace(/^Error: /, "");
}
