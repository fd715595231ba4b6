import { createPublicKey } from "node:crypto";
import type { JsonObject } from "#api/kind.ts";
import type { SignerParts } from "#apiserver/node/tokens/service-account-tokens.ts";
import { keyId } from "#apiserver/node/tokens/key-id.ts";
import type { TokenDiscovery } from "#apiserver/parts.ts";

export interface DiscoveryParts extends Pick<SignerParts, "key" | "issuer"> {
  /** Where the public keys are found. */
  readonly jwksUri: string;
}

/** What others need to check service-account tokens by themselves (KEP-1393). */
export function createTokenDiscovery({ key, issuer, jwksUri }: DiscoveryParts): TokenDiscovery {
  const publicKey = createPublicKey(key);
  return {
    configuration: () =>
      Promise.resolve({
        issuer,
        jwks_uri: jwksUri,
        response_types_supported: ["id_token"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: ["ES256"],
      }),
    async jwks() {
      const { exportJWK } = await import("jose");
      const jwk = (await exportJWK(publicKey)) as JsonObject;
      return { keys: [{ ...jwk, use: "sig", alg: "ES256", kid: await keyId(publicKey) }] };
    },
  };
}
