import { deepEqual, equal, ok } from "node:assert/strict";
import { test } from "node:test";
import { openApiFiles } from "#api/node/openapi-files.ts";
import type { JsonObject } from "#api/kind.ts";
import { createTestServer, type TestServer } from "#test/api-server.ts";

const definition = {
  apiVersion: "apiextensions.k8s.io/v1",
  kind: "CustomResourceDefinition",
  metadata: { name: "widgets.example.com" },
  spec: {
    group: "example.com",
    scope: "Cluster",
    names: { plural: "widgets", kind: "Widget" },
    versions: [
      {
        name: "v1",
        served: true,
        storage: true,
        schema: {
          openAPIV3Schema: {
            type: "object",
            description: "A widget.",
            properties: {
              size: {
                description: "How large.",
                anyOf: [{ type: "integer" }, { type: "string" }],
                "x-kubernetes-int-or-string": true,
              },
            },
          },
        },
      },
    ],
  },
};

test("OpenAPI 3 has a document for the custom group version, whose hash follows the definition", async () => {
  await using server = await served();
  const index = (await server.send("GET", "/openapi/v3")).body as { paths: JsonObject };
  const { serverRelativeURL } = index.paths["apis/example.com/v1"] as { serverRelativeURL: string };
  const { body, headers } = await server.send("GET", serverRelativeURL);
  const document = body as {
    paths: JsonObject;
    components: { schemas: Record<string, JsonObject> };
  };
  deepEqual(Object.keys(document.paths), [
    "/apis/example.com/v1/widgets",
    "/apis/example.com/v1/widgets/{name}",
  ]);
  const widget = document.components.schemas["com.example.v1.Widget"];
  deepEqual(widget?.["x-kubernetes-group-version-kind"], [
    { group: "example.com", version: "v1", kind: "Widget" },
  ]);
  deepEqual(Object.keys(widget?.properties as JsonObject), [
    "apiVersion",
    "kind",
    "metadata",
    "size",
  ]);
  ok("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta" in document.components.schemas);
  deepEqual(danglingReferences(document as unknown as JsonObject), []);
  ok(headers.some(([name, value]) => name === "cache-control" && value.includes("immutable")));
});

test("OpenAPI 2 has the custom kind among the built-in ones, as JSON and as protobuf", async () => {
  await using server = await served();
  const { body } = await server.send("GET", "/openapi/v2");
  const { definitions, paths } = body as {
    definitions: Record<string, JsonObject>;
    paths: JsonObject;
  };
  const properties = definitions["com.example.v1.Widget"]?.properties as JsonObject | undefined;
  deepEqual(properties?.size, {
    description: "How large.",
    "x-kubernetes-int-or-string": true,
  });
  ok("/apis/example.com/v1/widgets" in paths && "/api/v1/pods" in paths);
  const protobuf = await server.send("GET", "/openapi/v2", {
    headers: { accept: "application/com.github.proto-openapi.spec.v2@v1.0+protobuf" },
  });
  equal(protobuf.status, 200);
  ok(protobuf.text.includes("com.example.v1.Widget"));
});

test("OpenAPI 2 tells no properties of a kind that takes any, which kubectl would hold others against", async () => {
  const openAPIV3Schema = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
  const version = { name: "v1", served: true, storage: true, schema: { openAPIV3Schema } };
  await using server = await served({
    ...definition,
    spec: { ...definition.spec, versions: [version] },
  });
  const { definitions } = (await server.send("GET", "/openapi/v2")).body as {
    definitions: Record<string, JsonObject>;
  };
  deepEqual(definitions["com.example.v1.Widget"], {
    type: "object",
    "x-kubernetes-group-version-kind": [{ group: "example.com", version: "v1", kind: "Widget" }],
  });
});

async function served(body: JsonObject = definition): Promise<TestServer> {
  const server = await createTestServer({ openApi: openApiFiles });
  const path = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  const created = await server.send("POST", path, { body });
  equal(created.status, 201, created.text);
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
  return server;
}

function danglingReferences(document: JsonObject): string[] {
  const { schemas } = document.components as { schemas: JsonObject };
  const references = JSON.stringify(document).matchAll(/"#\/components\/schemas\/([^"]+)"/g);
  return Array.from(references, ([, name = ""]) => name).filter((name) => !(name in schemas));
}
