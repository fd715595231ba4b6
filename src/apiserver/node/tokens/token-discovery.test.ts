import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { createLocalJWKSet, jwtVerify, type JSONWebKeySet } from "jose";
import { systemClock } from "#base/clock.ts";
import { createMemoryPki } from "#apiserver/node/pki/pki-directory.ts";
import { createTokenSigner } from "#apiserver/node/tokens/service-account-tokens.ts";
import { createTokenDiscovery } from "#apiserver/node/tokens/token-discovery.ts";
import { createTestServer } from "#test/api-server.ts";

const issuer = "https://kubernetes.default.svc.cluster.local";

test("whoever reads the issuer's configuration and keys can check a token alone", async () => {
  const { serviceAccountKey: key } = createMemoryPki(Date.now());
  const jwksUri = "https://192.0.2.1:6443/openid/v1/jwks";
  const tokenDiscovery = createTokenDiscovery({ key, issuer, jwksUri });
  await using api = await createTestServer({ tokenDiscovery });
  const configuration = await api.send("GET", "/.well-known/openid-configuration");
  deepEqual(
    [configuration.status, configuration.body],
    [
      200,
      {
        issuer,
        jwks_uri: jwksUri,
        response_types_supported: ["id_token"],
        subject_types_supported: ["public"],
        id_token_signing_alg_values_supported: ["ES256"],
      },
    ],
  );
  const keys = await api.send("GET", "/openid/v1/jwks");
  deepEqual(keys.response.headers.slice(0, 2), [
    ["content-type", "application/jwk-set+json"],
    ["cache-control", "public, max-age=3600"],
  ]);
  equal(keys.text.includes('"d":'), false, "the private key stays here");
  const { token } = await createTokenSigner({ key, issuer, clock: systemClock }).issue({
    namespace: "dev",
    serviceAccount: { name: "robot", uid: "u" },
    audiences: ["vault"],
    expirationSeconds: 600,
  });
  const keySet = createLocalJWKSet(keys.body as unknown as JSONWebKeySet);
  const { payload } = await jwtVerify(token, keySet, { issuer, audience: "vault" });
  equal(payload.sub, "system:serviceaccount:dev:robot");
});

test("a server that issues no tokens has nothing to tell of them", async () => {
  await using api = await createTestServer();
  for (const path of ["/.well-known/openid-configuration", "/openid/v1/jwks", "/openid/v1"]) {
    equal((await api.send("GET", path)).status, 404, path);
  }
});
