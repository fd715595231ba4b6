import { createPrivateKey, createPublicKey } from "node:crypto";
import type { Clock } from "#base/clock.ts";
import type { TokenAuthenticator } from "#apiserver/node/authenticate.ts";
import type { Person } from "#apiserver/node/login/directory.ts";

export interface LoginTokenParts {
  /** PKCS #8 in PEM, P-256. */
  readonly key: string;
  /** Of these tokens alone: what vouches for service accounts must not be mistaken for this. */
  readonly issuer: string;
  readonly audience: string;
  readonly lifetimeMs: number;
  readonly clock: Clock;
}

export interface LoginTokens {
  issue(person: Person): Promise<{ readonly token: string; readonly expiresMs: number }>;
  readonly authenticate: TokenAuthenticator;
}

/** Short-lived tokens that say who logged in; the groups are those of the login. */
export function createLoginTokens(parts: LoginTokenParts): LoginTokens {
  const { issuer, audience, lifetimeMs, clock } = parts;
  const key = createPrivateKey(parts.key);
  const publicKey = createPublicKey(key);
  return {
    async issue({ name, groups }) {
      const { SignJWT } = await import("jose");
      const issuedSeconds = Math.floor(clock.now() / 1000);
      const expiresSeconds = issuedSeconds + Math.floor(lifetimeMs / 1000);
      const token = await new SignJWT({ groups: [...groups] })
        .setProtectedHeader({ alg: "ES256" })
        .setIssuer(issuer)
        .setAudience(audience)
        .setSubject(name)
        .setIssuedAt(issuedSeconds)
        .setExpirationTime(expiresSeconds)
        .sign(key);
      return { token, expiresMs: expiresSeconds * 1000 };
    },
    async authenticate(token) {
      const { errors, jwtVerify } = await import("jose");
      try {
        const { payload } = await jwtVerify(token, publicKey, {
          issuer,
          audience,
          algorithms: ["ES256"],
          requiredClaims: ["sub", "exp"],
          currentDate: new Date(clock.now()),
        });
        const groups = payload["groups"];
        return { name: payload.sub ?? "", groups: Array.isArray(groups) ? groups : [] };
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined;
        throw error;
      }
    },
  };
}
