import { rfc3339Micro } from "#base/clock.ts";
import type { Status } from "#api/generated/types.ts";
import type { BodyMetadata } from "#apiserver/body-notes.ts";
import type { AuditLevel, AuditStage } from "#apiserver/audit/policy.ts";
import type { RequestInfo } from "#apiserver/request-info.ts";
import type { ApiRequest, UserInfo } from "#apiserver/request.ts";

/**
 * `Event` of `audit.k8s.io/v1`; fields stand in the order in which upstream writes them. One that is undefined is not
 * written: to leave it out of the object costs more.
 */
export interface AuditEvent {
  readonly kind: "Event";
  readonly apiVersion: "audit.k8s.io/v1";
  readonly level: AuditLevel;
  readonly auditID: string;
  readonly stage: AuditStage;
  readonly requestURI: string;
  readonly verb: string;
  readonly user: AuditUser;
  readonly impersonatedUser?: AuditUser | undefined;
  readonly sourceIPs?: readonly string[] | undefined;
  readonly userAgent?: string | undefined;
  readonly objectRef?: AuditObjectRef | undefined;
  readonly responseStatus?: AuditStatus | undefined;
  readonly requestObject?: unknown;
  readonly responseObject?: unknown;
  readonly requestReceivedTimestamp: string;
  readonly stageTimestamp: string;
  readonly annotations?: Readonly<Record<string, string>> | undefined;
}

export interface AuditUser {
  readonly username?: string | undefined;
  readonly uid?: string | undefined;
  readonly groups?: readonly string[] | undefined;
  readonly extra?: Readonly<Record<string, readonly string[]>> | undefined;
}

export interface AuditObjectRef {
  readonly resource?: string | undefined;
  readonly namespace?: string | undefined;
  readonly name?: string | undefined;
  readonly uid?: string | undefined;
  readonly apiGroup?: string | undefined;
  readonly apiVersion?: string | undefined;
  readonly resourceVersion?: string | undefined;
  readonly subresource?: string | undefined;
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
  let known = auditUsers.get(user);
  if (known === undefined) {
    const { name, uid = "", groups, extra = {} } = user;
    known = {
      username: name || undefined,
      uid: uid || undefined,
      groups: groups.length > 0 ? groups : undefined,
      extra: Object.keys(extra).length > 0 ? extra : undefined,
    };
    auditUsers.set(user, known);
  }
  return known;
}

/** Users are the same objects for as long as a connection lasts. */
const auditUsers = new WeakMap<UserInfo, AuditUser>();

export function objectRefOf(
  info: RequestInfo,
  body: BodyMetadata = {},
): AuditObjectRef | undefined {
  if (!info.isResource) return undefined;
  return {
    resource: info.resource || undefined,
    namespace: info.namespace || body.namespace || undefined,
    name: info.name || body.name || undefined,
    uid: body.uid || undefined,
    apiGroup: info.group || undefined,
    apiVersion: info.version || undefined,
    resourceVersion: body.resourceVersion || undefined,
    subresource: info.subresource || undefined,
  };
}

/** The path and query as they were sent, without what could be a token. */
export function requestUriOf({ path, query }: ApiRequest): string {
  if (query.size === 0) return path;
  if (!query.has("access_token")) return `${path}?${query.toString()}`;
  const shown = new URLSearchParams(query);
  shown.set("access_token", "REDACTED");
  return `${path}?${shown.toString()}`;
}

/** As upstream: what proxies say came before, then who the connection is from. All but the last can be made up. */
export function sourceIpsOf(request: ApiRequest): readonly string[] | undefined {
  const addresses = addressesOf(request);
  return addresses.length > 0 ? addresses : undefined;
}

function addressesOf(request: ApiRequest): readonly string[] {
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

/** Many requests come within the same millisecond. */
export function timestamp(timeMs: number): string {
  if (timeMs !== lastTimestamp.timeMs) lastTimestamp = { timeMs, text: rfc3339Micro(timeMs) };
  return lastTimestamp.text;
}

let lastTimestamp = { timeMs: Number.NaN, text: "" };

/** IPv4 as IPv6 sockets show it. */
function plainAddress(address: string): string {
  return address.startsWith("::ffff:") ? address.slice("::ffff:".length) : address;
}

function isAddress(text: string): boolean {
  return /^\d{1,3}(\.\d{1,3}){3}$/.test(text) || /^[0-9a-f:.]*:[0-9a-f:.]*$/i.test(text);
}
