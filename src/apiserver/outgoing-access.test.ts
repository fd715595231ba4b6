import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { credentialsOf } from "#apiserver/outgoing-access.ts";

test("credentialsOf() trusts and shows what the kubeconfig says, and nothing it does not", () => {
  const server = "https://reviews.example";
  const json = { "content-type": "application/json" };
  deepEqual(credentialsOf({ server }), { trust: {}, headers: json });
  deepEqual(credentialsOf({ server, ca: "CA", clientCert: "CERT" }), {
    trust: { authorities: "CA" },
    headers: json,
  });
  deepEqual(
    credentialsOf({ server, clientCert: "CERT", clientKey: "KEY", serverName: "a", token: "t" }),
    {
      trust: { serverName: "a", client: { certificate: "CERT", key: "KEY" } },
      headers: { ...json, authorization: "Bearer t" },
    },
  );
});
