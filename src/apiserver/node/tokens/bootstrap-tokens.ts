import { timingSafeEqual } from "node:crypto";
import type { Secret } from "#api/generated/types.ts";
import type { Clock } from "#base/clock.ts";
import type { TokenAuthenticator } from "#apiserver/node/authenticate.ts";

export interface BootstrapTokenParts {
  /** A Secret of `kube-system` by its name, as the API has it now. */
  readonly secret: (name: string) => Promise<Secret | undefined>;
  readonly clock: Clock;
}

const defaultGroup = "system:bootstrappers";

/**
 * Knows the bearers of bootstrap tokens (`ID.SECRET`), kept as Secrets `bootstrap-token-ID` of `kube-system`, as the
 * users `system:bootstrap:ID`.
 */
export function createBootstrapAuthenticator(parts: BootstrapTokenParts): TokenAuthenticator {
  return async (token) => {
    const [, id, secretText] = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(token) ?? [];
    if (id === undefined || secretText === undefined) return undefined;
    const secret = await parts.secret(`bootstrap-token-${id}`);
    if (secret === undefined || !isUsable(secret, parts.clock.now())) return undefined;
    if (!sameText(field(secret, "token-secret"), secretText)) return undefined;
    if (field(secret, "token-id") !== id) return undefined;
    const groups = groupsOf(secret);
    return groups && { name: `system:bootstrap:${id}`, groups };
  };
}

function isUsable(secret: Secret, nowMs: number): boolean {
  return (
    secret.metadata.deletionTimestamp === undefined &&
    secret.type === "bootstrap.kubernetes.io/token" &&
    !hasExpired(field(secret, "expiration"), nowMs) &&
    field(secret, "usage-bootstrap-authentication") === "true"
  );
}

/** A time that cannot be read has passed. */
function hasExpired(expiration: string, nowMs: number): boolean {
  if (expiration === "") return false;
  const timeMs = /^\d{4}-\d\d-\d\dT/.test(expiration) ? Date.parse(expiration) : NaN;
  return Number.isNaN(timeMs) || timeMs <= nowMs;
}

/** The default group and those that the token adds; undefined when one of them is not allowed. */
function groupsOf(secret: Secret): readonly string[] | undefined {
  const extra = field(secret, "auth-extra-groups");
  const added = extra === "" ? [] : extra.split(",");
  const allowed = /^system:bootstrappers:[a-z0-9:-]{0,255}[a-z0-9]$/;
  if (!added.every((group) => allowed.test(group))) return undefined;
  return [...new Set([defaultGroup, ...added])].toSorted();
}

function sameText(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function field(secret: Secret, name: string): string {
  return Buffer.from(secret.data?.[name] ?? "", "base64").toString();
}
