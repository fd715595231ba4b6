import { generateKeyPairSync } from "node:crypto";
import { exportJWK, SignJWT } from "jose";
import type { JsonObject } from "#api/kind.ts";
import { selfSubjectReviews } from "#api/resources.ts";
import type { StatusError } from "#api/status.ts";
import { createClient } from "#client/api-client.ts";
import { createHttpsTransport } from "#client/node/https-transport.ts";
import type { TestCluster } from "#main/testing.ts";
import { accessOf } from "#test/raw-client.ts";
import { startWebhookServer, type Said, type WebhookServer } from "#test/webhook-server.ts";

export const audience = "kubernetes";

/** An OpenID Connect provider, and what signs as it; `rotate` gives it another key. */
export async function startIssuer() {
  const makeKey = () => generateKeyPairSync("ec", { namedCurve: "P-256" });
  const wrongKey = makeKey();
  let key = { ...makeKey(), kid: "1" };
  let url = "";
  const server = await startWebhookServer(async ({ path }): Promise<Said> =>
    path === "/.well-known/openid-configuration"
      ? { body: { issuer: url, jwks_uri: `${url}/keys` } }
      : {
          body: {
            keys: [
              { ...((await exportJWK(key.publicKey)) as JsonObject), kid: key.kid, alg: "ES256" },
            ],
          },
        },
  );
  url = server.url;
  const sign = (claims: Record<string, unknown>, change: { key?: "wrong"; ttl?: number } = {}) =>
    new SignJWT({ iss: url, aud: audience, ...claims })
      .setProtectedHeader({ alg: "ES256", kid: key.kid })
      .setIssuedAt()
      .setExpirationTime(Math.floor(Date.now() / 1000) + (change.ttl ?? 60))
      .sign(change.key === "wrong" ? wrongKey.privateKey : key.privateKey);
  return {
    server,
    url,
    sign,
    rotate: () => {
      key = { ...makeKey(), kid: "2" };
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

export const authority = (server: WebhookServer): string =>
  Buffer.from(server.caBundle, "base64").toString("utf8");

/** Who the server says the bearer of a token is; the code of its refusal when it is nobody. */
export async function whoIs(cluster: TestCluster, token: string): Promise<unknown> {
  const { ca } = accessOf(cluster.kubeconfig);
  using transport = createHttpsTransport({ server: cluster.server, ca, token });
  try {
    const { status } = await createClient(transport).create(selfSubjectReviews, {
      apiVersion: "authentication.k8s.io/v1",
      kind: "SelfSubjectReview",
      metadata: {},
    });
    return status?.userInfo;
  } catch (error) {
    return (error as StatusError).status.code;
  }
}

/** Leads to a service, with a token to show. */
export const kubeconfigFor = (server: WebhookServer) => ({
  apiVersion: "v1",
  kind: "Config",
  "current-context": "a",
  contexts: [{ name: "a", context: { cluster: "a", user: "a" } }],
  clusters: [
    { name: "a", cluster: { server: server.url, "certificate-authority-data": server.caBundle } },
  ],
  users: [{ name: "a", user: { token: "shown" } }],
});
