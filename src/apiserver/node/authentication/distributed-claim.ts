import type { Clock } from "#base/clock.ts";
import type { Claims } from "#apiserver/node/authentication/claim-mapper.ts";
import { IssuerKeys } from "#apiserver/node/authentication/issuer-keys.ts";
import { claimedIssuer, verifyToken } from "#apiserver/node/authentication/verify-token.ts";
import type { Outgoing } from "#apiserver/outgoing.ts";

export interface DistributedClaimParts {
  readonly claim: string;
  readonly audiences: readonly string[];
  /** PEM, of the issuer and of those it sends to; absent: what the machine trusts. */
  readonly authorities?: string;
  readonly outgoing: Outgoing;
  readonly clock: Clock;
}

const timeoutMs = 30_000;
const limitBytes = 1024 * 1024;
/** An answer holds as long as upstream takes a token for good without looking again. */
const holdsMs = 10_000;
const heldMax = 1024;
const issuersMax = 64;

/**
 * Completes verified claims by one that the token does not hold itself but says where to ask for: a distributed claim
 * (OpenID Connect Core 1.0, section 5.6.2). What is answered there is a token too, of an issuer that may be another.
 * @throws when the claim is named and cannot be had
 */
export function createDistributedClaim(
  parts: DistributedClaimParts,
): (claims: Claims) => Promise<Claims> {
  const { claim, clock } = parts;
  const issuers = new Map<string, IssuerKeys>();
  const held = new Map<string, { readonly untilMs: number; readonly value: unknown }>();
  return async (claims) => {
    const source = claims[claim] === undefined ? sourceOf(claims, claim) : undefined;
    if (source === undefined) return claims;
    const key = JSON.stringify([source.endpoint, source.accessToken]);
    let known = held.get(key);
    if (known === undefined || known.untilMs <= clock.now()) {
      const value = await ask(source, issuers, parts);
      known = { untilMs: clock.now() + holdsMs, value };
      if (held.size >= heldMax) held.clear();
      held.set(key, known);
    }
    return { ...claims, [claim]: known.value };
  };
}

interface Source {
  readonly endpoint: string;
  readonly accessToken: string;
}

/** Undefined where the token does not say where to ask: the claim is absent then, or an aggregated one. */
function sourceOf(claims: Claims, claim: string): Source | undefined {
  const names = claims["_claim_names"];
  if (names === undefined) return undefined;
  const name = memberOf(names, claim);
  if (name === undefined) return undefined;
  const sources = claims["_claim_sources"];
  if (sources === undefined) throw new Error("oidc: no claim sources");
  if (typeof name !== "string") throw new Error("oidc: error parsing distributed claim names");
  const source = memberOf(sources, name);
  if (source === undefined)
    throw new Error(`id token _claim_names contained a source ${name} missing in _claims_sources`);
  const endpoint = memberOf(source, "endpoint");
  const accessToken = memberOf(source, "access_token");
  if (typeof endpoint !== "string" || endpoint === "") return undefined;
  return { endpoint, accessToken: typeof accessToken === "string" ? accessToken : "" };
}

function memberOf(value: unknown, name: string): unknown {
  if (typeof value !== "object" || value === null || !Object.hasOwn(value, name)) return undefined;
  return Reflect.get(value, name);
}

async function ask(
  { endpoint, accessToken }: Source,
  issuers: Map<string, IssuerKeys>,
  { claim, audiences, authorities, outgoing, clock }: DistributedClaimParts,
): Promise<unknown> {
  assertSecure(endpoint);
  const trust = authorities === undefined ? {} : { authorities };
  const answer = await outgoing.send({
    method: "GET",
    url: endpoint,
    headers: accessToken === "" ? {} : { authorization: `Bearer ${accessToken}` },
    trust,
    timeoutMs,
    limitBytes,
  });
  if (answer.status < 200 || answer.status > 299)
    throw new Error(
      `while getting distributed claim "${claim}": ${endpoint} answered ${answer.status}`,
    );
  const token = new TextDecoder().decode(answer.body).trim();
  const issuer = claimedIssuer(token);
  if (issuer === undefined)
    throw new Error(`while getting distributed claim "${claim}": ${endpoint} answered no token`);
  assertSecure(issuer);
  let keys = issuers.get(issuer);
  if (keys === undefined) {
    if (issuers.size >= issuersMax) issuers.clear();
    keys = new IssuerKeys({ url: issuer, ...trust, outgoing, clock });
    issuers.set(issuer, keys);
  }
  const claims = await verifyToken(token, keys, { issuer, audiences, nowMs: clock.now() });
  if (claims[claim] === undefined)
    throw new Error(
      `jwt returned by distributed claim endpoint "${endpoint}" did not contain claim: ${claim}`,
    );
  return claims[claim];
}

/** Whoever is between would else say who somebody is. */
function assertSecure(url: string): void {
  if (!URL.canParse(url) || new URL(url).protocol !== "https:")
    throw new Error(`distributed claims are asked for over https alone, not at "${url}"`);
}
