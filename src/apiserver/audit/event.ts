import { rfc3339Micro } from "#base/clock.ts";
import type { Status } from "#api/generated/types.ts";
import type { AuditLevel, AuditStage } from "#apiserver/audit/policy.ts";
import type { RequestInfo } from "#apiserver/request-info.ts";
import type { ApiRequest, UserInfo } from "#apiserver/request.ts";

/** `Event` of `audit.k8s.io/v1`; fields stand in the order in which upstream writes them. */
export interface AuditEvent {
  readonly kind: "Event";
  readonly apiVersion: "audit.k8s.io/v1";
  readonly level: AuditLevel;
  readonly auditID: string;
  readonly stage: AuditStage;
  readonly requestURI: string;
  readonly verb: string;
  readonly user: AuditUser;
  readonly impersonatedUser?: AuditUser;
  readonly sourceIPs?: readonly string[];
  readonly userAgent?: string;
  readonly objectRef?: AuditObjectRef;
  readonly responseStatus?: AuditStatus;
  readonly requestObject?: unknown;
  readonly responseObject?: unknown;
  readonly requestReceivedTimestamp: string;
  readonly stageTimestamp: string;
  readonly annotations?: Readonly<Record<string, string>>;
}

export interface AuditUser {
  readonly username?: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export interface AuditObjectRef {
  readonly resource?: string;
  readonly namespace?: string;
  readonly name?: string;
  readonly uid?: string;
  readonly apiGroup?: string;
  readonly apiVersion?: string;
  readonly resourceVersion?: string;
  readonly subresource?: string;
}

/** What of a `Status` is recorded of every answer. */
export type AuditStatus = Pick<Status, "status" | "message" | "reason" | "details" | "code"> & {
  readonly metadata: Readonly<Record<string, never>>;
};

/** Takes events. */
export interface AuditBackend {
  /** Must be quick and must not throw. */
  record(event: AuditEvent): void;
}

export function auditUser(user: UserInfo): AuditUser {
  const { name, uid = "", groups, extra = {} } = user;
  return {
    ...(name !== "" && { username: name }),
    ...(uid !== "" && { uid }),
    ...(groups.length > 0 && { groups }),
    ...(Object.keys(extra).length > 0 && { extra }),
  };
}

/** What a body says of its object beyond what the path says. */
export interface BodyMetadata {
  readonly namespace?: string;
  readonly name?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
}

export function objectRefOf(
  info: RequestInfo,
  body: BodyMetadata = {},
): AuditObjectRef | undefined {
  if (!info.isResource) return undefined;
  const namespace = info.namespace || body.namespace;
  const name = info.name || body.name;
  const { resource, group, version, subresource } = info;
  return {
    ...(resource !== "" && { resource }),
    ...(namespace && { namespace }),
    ...(name && { name }),
    ...(body.uid && { uid: body.uid }),
    ...(group !== "" && { apiGroup: group }),
    ...(version !== "" && { apiVersion: version }),
    ...(body.resourceVersion && { resourceVersion: body.resourceVersion }),
    ...(subresource !== "" && { subresource }),
  };
}

/** The path and query as they were sent, without what could be a token. */
export function requestUriOf({ path, query }: ApiRequest): string {
  if (query.size === 0) return path;
  if (!query.has("access_token")) return `${path}?${query}`;
  const shown = new URLSearchParams(query);
  shown.set("access_token", "REDACTED");
  return `${path}?${shown}`;
}

/** As upstream: what proxies say came before, then who the connection is from. All but the last can be made up. */
export function sourceIpsOf(request: ApiRequest): readonly string[] {
  const { remoteAddress } = request;
  const forwarded = request.header("x-forwarded-for");
  const real = request.header("x-real-ip");
  if (forwarded === undefined && real === undefined)
    return remoteAddress === undefined ? [] : [plainAddress(remoteAddress)];
  const addresses = (forwarded ?? "").split(",").flatMap((one) => {
    const address = one.trim();
    return isAddress(address) ? [address] : [];
  });
  if (real !== undefined && isAddress(real) && !addresses.includes(real)) addresses.push(real);
  const last = remoteAddress && plainAddress(remoteAddress);
  if (last !== undefined && addresses.at(-1) !== last) addresses.push(last);
  return addresses.slice(-addressesMax);
}

const addressesMax = 32;

export function userAgentOf(request: ApiRequest): string {
  const agent = request.header("user-agent") ?? "";
  return agent.length > userAgentMax ? `${agent.slice(0, userAgentMax)}...TRUNCATED` : agent;
}

/** As upstream. */
const userAgentMax = 1_024;

export function statusOfRefusal(refusal: Status): AuditStatus {
  const { status, message, reason, details, code } = refusal;
  return {
    metadata: {},
    ...(status && { status }),
    ...(message && { message }),
    ...(reason && { reason }),
    ...(details && { details }),
    ...(code && { code }),
  };
}

export function timestamp(timeMs: number): string {
  return rfc3339Micro(timeMs);
}

/** IPv4 as IPv6 sockets show it. */
function plainAddress(address: string): string {
  return address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
}

function isAddress(text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text) || /^[0-9a-f:.]*:[0-9a-f:.]*$/i.test(text);
}
