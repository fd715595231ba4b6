import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import { itemsOf, type Given } from "#api/validation/given.ts";
import { createClaimMapper } from "#apiserver/node/authentication/claim-mapper.ts";
import type { JwtIssuer } from "#apiserver/node/authentication/configuration.ts";
import { createDistributedClaim } from "#apiserver/node/authentication/distributed-claim.ts";
import { IssuerKeys } from "#apiserver/node/authentication/issuer-keys.ts";
import { claimedIssuer, verifyToken } from "#apiserver/node/authentication/verify-token.ts";
import type { TokenAuthenticator } from "#apiserver/node/authenticate.ts";
import type { Outgoing } from "#apiserver/outgoing.ts";

export interface JwtParts {
  readonly outgoing: Outgoing;
  readonly clock: Clock;
  readonly log: Log;
}

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
  const known = itemsOf(audiences);
  const groupsClaim = jwt.claimMappings?.groups?.claim;
  const completed = groupsClaim
    ? createDistributedClaim({
        claim: groupsClaim,
        audiences: known,
        ...(certificateAuthority && { authorities: certificateAuthority }),
        outgoing,
        clock,
      })
    : undefined;
  return async (token) => {
    if (claimedIssuer(token) !== issuer) return undefined;
    try {
      const check = { issuer, audiences: known, nowMs: clock.now() };
      const claims = await verifyToken(token, keys, check);
      return userOf(completed === undefined ? claims : await completed(claims));
    } catch (error) {
      log.warn("token of an issuer refused", { issuer, error });
      return undefined;
    }
  };
}
