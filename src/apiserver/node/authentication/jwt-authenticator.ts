import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { itemsOf, type Given } from "#api/validation/given.ts";
import { createClaimMapper, type Claims } from "#apiserver/node/authentication/claim-mapper.ts";
import type { JwtIssuer } from "#apiserver/node/authentication/configuration.ts";
import { IssuerKeys } from "#apiserver/node/authentication/issuer-keys.ts";
import type { TokenAuthenticator } from "#apiserver/node/authenticate.ts";
import type { Outgoing } from "#apiserver/outgoing.ts";

export interface JwtParts {
  readonly outgoing: Outgoing;
  readonly clock: Clock;
  readonly log: Log;
}

/** The signatures of OpenID Connect; never "none", never one with a shared secret. */
const algorithms = [
  "RS256",
  "RS384",
  "RS512",
  "PS256",
  "PS384",
  "PS512",
  "ES256",
  "ES384",
  "ES512",
];

/** Knows the bearers of tokens that one OpenID Connect issuer signed for one of the configured audiences. */
export function createJwtAuthenticator(
  jwt: Given<JwtIssuer>,
  { outgoing, clock, log }: JwtParts,
): TokenAuthenticator {
  const { url, discoveryURL, certificateAuthority, audiences } = jwt.issuer ?? {};
  const issuer = url ?? "";
  const keys = new IssuerKeys({
    url: issuer,
    ...(discoveryURL && { discoveryURL }),
    ...(certificateAuthority && { authorities: certificateAuthority }),
    outgoing,
    clock,
  });
  const userOf = createClaimMapper(jwt);
  const check = { issuer, audience: [...itemsOf(audiences)], algorithms };
  return async (token) => {
    if (claimedIssuer(token) !== issuer) return undefined;
    try {
      return userOf(await verified(token, keys, { ...check, currentDate: new Date(clock.now()) }));
    } catch (error) {
      log.warn("token of an issuer refused", { issuer, error });
      return undefined;
    }
  };
}

interface Check {
  readonly issuer: string;
  readonly audience: string[];
  readonly algorithms: string[];
  readonly currentDate: Date;
}

async function verified(token: string, keys: IssuerKeys, check: Check): Promise<Claims> {
  const { createLocalJWKSet, errors, jwtVerify } = await import("jose");
  const requiredClaims = ["exp"];
  try {
    const set = createLocalJWKSet(await keys.current());
    return (await jwtVerify(token, set, { ...check, requiredClaims })).payload;
  } catch (error) {
    if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
    const set = createLocalJWKSet(await keys.renewed());
    return (await jwtVerify(token, set, { ...check, requiredClaims })).payload;
  }
}

/** Whose a token says it is; nothing of it is believed yet. */
function claimedIssuer(token: string): string | undefined {
  const [, payload, signature] = token.split(".");
  if (payload === undefined || signature === undefined) return undefined;
  try {
    const claims: unknown = JSON.parse(Buffer.from(payload, "base64url").toString("utf8"));
    const { iss } = (claims ?? {}) as { readonly iss?: unknown };
    return typeof iss === "string" ? iss : undefined;
  } catch {
    return undefined;
  }
}
