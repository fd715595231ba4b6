import type { Claims } from "#apiserver/node/authentication/claim-mapper.ts";
import type { IssuerKeys } from "#apiserver/node/authentication/issuer-keys.ts";

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

export interface TokenCheck {
  readonly issuer: string;
  /** One of them must be the token's. */
  readonly audiences: readonly string[];
  readonly nowMs: number;
}

/** The claims of a token that its issuer signed. @throws when it is not what it should be, or the issuer cannot be asked */
export async function verifyToken(
  token: string,
  keys: IssuerKeys,
  { issuer, audiences, nowMs }: TokenCheck,
): Promise<Claims> {
  const { createLocalJWKSet, errors, jwtVerify } = await import("jose");
  const check = {
    issuer,
    audience: [...audiences],
    algorithms,
    currentDate: new Date(nowMs),
    requiredClaims: ["exp"],
  };
  try {
    const set = createLocalJWKSet(await keys.current());
    return (await jwtVerify(token, set, check)).payload;
  } catch (error) {
    if (!(error instanceof errors.JWKSNoMatchingKey)) throw error;
    const set = createLocalJWKSet(await keys.renewed());
    return (await jwtVerify(token, set, check)).payload;
  }
}

/** Whose a token says it is; nothing of it is believed yet. */
export function claimedIssuer(token: string): string | undefined {
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
