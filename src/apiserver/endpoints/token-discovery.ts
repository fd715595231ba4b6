import type { JsonObject } from "#api/kind.ts";
import { bytesResponse, utf8 } from "#apiserver/content/bytes.ts";
import type { TokenDiscovery } from "#apiserver/parts.ts";
import type { ApiResponse } from "#apiserver/request.ts";

export const tokenConfigurationPath = "/.well-known/openid-configuration";
export const tokenKeysPath = "/openid/v1/jwks";

const cachedSeconds = 3600;

/** How others check service accounts' tokens: the issuer's configuration and its public keys. */
export async function answerTokenDiscovery(
  discovery: TokenDiscovery | undefined,
  path: string,
): Promise<ApiResponse | undefined> {
  if (path === tokenConfigurationPath) {
    return discovery && answer("application/json", await discovery.configuration());
  }
  if (path !== tokenKeysPath || discovery === undefined) return undefined;
  return answer("application/jwk-set+json", await discovery.jwks());
}

function answer(type: string, value: JsonObject): ApiResponse {
  const content = { type, bytes: utf8(JSON.stringify(value)) };
  return bytesResponse(200, content, [["cache-control", `public, max-age=${cachedSeconds}`]]);
}
