import type { Asked } from "#addons/access/asked.ts";

/** The fields of an `audit.k8s.io/v1` Event that say who did what. */
interface AuditEvent {
  readonly kind?: string;
  readonly stage?: string;
  readonly verb?: string;
  readonly requestURI?: string;
  readonly user?: { readonly username?: string };
  readonly impersonatedUser?: { readonly username?: string };
  readonly objectRef?: {
    readonly resource?: string;
    readonly apiGroup?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface AuditedRequest {
  readonly user: string;
  readonly asked: Asked;
  readonly allowed: boolean;
}

/**
 * Reads one line of an audit log.
 * @returns undefined for what tells nothing new: stages before the answer, and lines that are no audit events
 */
export function readAuditLine(line: string): AuditedRequest | undefined {
  const event = parsed(line);
  if (event?.kind !== "Event" || event.verb === undefined) return undefined;
  // A long watch says `ResponseStarted` when it was let in and the other stage only when it ends.
  if (event.stage !== "ResponseComplete" && event.stage !== "ResponseStarted") return undefined;
  return {
    user: event.impersonatedUser?.username ?? event.user?.username ?? "",
    asked: askedOf(event, event.verb),
    allowed: wasAllowed(event),
  };
}

function parsed(line: string): AuditEvent | undefined {
  if (line.trim() === "") return undefined;
  try {
    const value: unknown = JSON.parse(line);
    return typeof value === "object" && value !== null ? value : undefined;
  } catch {
    return undefined;
  }
}

function askedOf({ objectRef, requestURI = "" }: AuditEvent, verb: string): Asked {
  const isResource = objectRef?.resource !== undefined;
  return {
    verb,
    isResource,
    group: objectRef?.apiGroup ?? "",
    resource: objectRef?.resource ?? "",
    subresource: objectRef?.subresource ?? "",
    namespace: objectRef?.namespace ?? "",
    name: objectRef?.name ?? "",
    path: isResource ? "" : (requestURI.split("?")[0] ?? ""),
  };
}

function wasAllowed({ annotations, responseStatus }: AuditEvent): boolean {
  const decision = annotations?.["authorization.k8s.io/decision"];
  return decision === undefined ? responseStatus?.code !== 403 : decision === "allow";
}
