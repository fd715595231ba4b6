import assert from "node:assert/strict";
import { test } from "node:test";
import type { Authorizer } from "#apiserver/authorizer.ts";
import { admin, createTestServer } from "#test/api-server.ts";

const writer = { name: "writer", groups: ["system:authenticated"] };

/** Lets the writer update and patch, but not create. */
const authorizer: Authorizer = {
  authorize: ({ user, verb }) => ({
    allowed: user.name === admin.name || verb !== "create",
    reason: "",
  }),
};

const requests = [
  ["PUT", "/api/v1/namespaces/default/endpoints/a", "application/json"],
  [
    "PATCH",
    "/api/v1/namespaces/default/configmaps/a?fieldManager=m",
    "application/apply-patch+yaml",
  ],
] as const;

for (const [method, path, type] of requests) {
  test(`a ${method} that makes the object needs the right to create it`, async () => {
    await using api = await createTestServer({ authorizer });
    const body = {
      apiVersion: "v1",
      kind: method === "PUT" ? "Endpoints" : "ConfigMap",
      metadata: { name: "a" },
    };
    const headers = { "content-type": type };
    const refused = await api.send(method, path, { body, headers, user: writer });
    assert.equal(refused.status, 403);
    assert.match(String(refused.body.message as string), /User "writer" cannot create resource/);
    assert.equal((await api.send(method, path, { body, headers })).status, 201);
    assert.equal((await api.send(method, path, { body, headers, user: writer })).status, 200);
  });
}
