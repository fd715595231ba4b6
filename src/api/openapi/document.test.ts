import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { openApiFiles } from "#api/node/openapi-files.ts";
import { builtinKindFacts } from "#api/kinds/kind-facts.ts";
import { byDocument, openApiDocument } from "#api/openapi/document.ts";

type Schemas = Record<string, JsonObject>;
interface Document {
  readonly paths: Record<string, Record<string, JsonObject>>;
  readonly components: { readonly schemas: Schemas };
}

const kinds = builtinKindFacts();
const documents = new Map(
  [...byDocument(kinds)].map(([path, inDocument]) => {
    const request = { kinds: inDocument, describe: () => undefined, groupVersions: ["v1"] };
    return [path, openApiDocument(request) as unknown as Document];
  }),
);

test("openApiDocument() defines every schema it refers to", () => {
  for (const [path, document] of documents) {
    const text = JSON.stringify(document);
    const missing = [...text.matchAll(/"#\/components\/schemas\/([^"]+)"/g)]
      .map((match) => match[1] ?? "")
      .filter((name) => document.components.schemas[name] === undefined);
    deepEqual(missing, [], path);
  }
});

test("openApiDocument() has the paths and operations of the GA API", () => {
  const counts = [...documents].map(([path, document]) => {
    const items = Object.values(document.paths);
    const methods = items.flatMap((item) => Object.keys(item)).filter(isMethod);
    return `${path} ${items.length} ${methods.length}`;
  });
  deepEqual(counts, goldenCounts.trim().split("\n"));
  const operations = [...documents.values()]
    .flatMap((document) => Object.values(document.paths))
    .flatMap((item) => Object.entries(item))
    .filter(([key]) => isMethod(key))
    .map(([, operation]) => operation["operationId"]);
  equal(new Set(operations).size, operations.length);
});

test("openApiDocument() lets kubectl see that field validation and dry-run work", () => {
  const path = "/apis/apps/v1/namespaces/{namespace}/deployments/{name}";
  const patch = documents.get("apis/apps/v1")?.paths[path]?.["patch"];
  deepEqual(
    (patch!["parameters"] as { name: string }[]).map((parameter) => parameter.name),
    ["dryRun", "fieldManager", "fieldValidation", "force"],
  );
  deepEqual(patch?.["x-kubernetes-group-version-kind"], {
    group: "apps",
    kind: "Deployment",
    version: "v1",
  });
});

test("openApiDocument() carries what client-side apply merges by", () => {
  const schemas = documents.get("api/v1")?.components.schemas;
  const container = schemas?.["io.k8s.api.core.v1.Container"]?.["properties"] as Schemas;
  deepEqual(container["ports"], {
    type: "array",
    items: { $ref: "#/components/schemas/io.k8s.api.core.v1.ContainerPort" },
    "x-kubernetes-list-map-keys": ["containerPort", "protocol"],
    "x-kubernetes-list-type": "map",
    "x-kubernetes-patch-merge-key": "containerPort",
    "x-kubernetes-patch-strategy": "merge",
  });
  deepEqual(schemas?.["io.k8s.api.core.v1.Pod"]?.["x-kubernetes-group-version-kind"], [
    { group: "", version: "v1", kind: "Pod" },
  ]);
});

test("openApiFiles has a file for every group version, described and with its hash", async () => {
  const index = await openApiFiles.v3Index();
  deepEqual([...index.keys()].toSorted(), [...documents.keys()].toSorted());
  for (const [path, hash] of index) equal((await openApiFiles.v3(path))?.hash, hash);
  equal(await openApiFiles.v3("apis/nobody/v1"), undefined);
  equal(await openApiFiles.v3("constructor"), undefined);
  const core = await parsed(await openApiFiles.v3("api/v1"));
  const pod = core.components.schemas["io.k8s.api.core.v1.PodSpec"];
  const spec = pod?.["properties"] as Schemas;
  const undescribed = Object.keys(spec).filter(
    (field) => spec[field]?.["description"] === undefined,
  );
  deepEqual(undescribed, []);
});

test("openApiFiles.v2() says the same in OpenAPI 2", async () => {
  const { bytes } = await openApiFiles.v2();
  const document = JSON.parse(new TextDecoder().decode(bytes)) as {
    definitions: Schemas;
    paths: Record<string, unknown>;
  };
  const text = JSON.stringify(document);
  equal(/"(allOf|oneOf)":\[|"(requestBody|content)":\{/.test(text), false);
  const references = [...text.matchAll(/"#\/([^/]+)\/([^"]+)"/g)];
  deepEqual(
    references.filter(([, root, name]) => root !== "definitions" || !document.definitions[name!]),
    [],
  );
  equal(Object.keys(document.paths).length, 209);
  deepEqual(
    document.definitions["io.k8s.apimachinery.pkg.util.intstr.IntOrString"]?.["type"],
    "string",
  );
});

async function parsed(file: { readonly bytes: Uint8Array } | undefined): Promise<Document> {
  return JSON.parse(new TextDecoder().decode(file?.bytes)) as Document;
}

function isMethod(key: string): boolean {
  return key !== "parameters";
}

/** Documents with the number of their paths and operations. */
const goldenCounts = `
api/v1 70 205
apis/apiregistration.k8s.io/v1 3 10
apis/apps/v1 22 61
apis/events.k8s.io/v1 3 8
apis/authentication.k8s.io/v1 2 2
apis/authorization.k8s.io/v1 4 4
apis/autoscaling/v2 4 11
apis/autoscaling/v1 4 11
apis/batch/v1 8 22
apis/certificates.k8s.io/v1 4 13
apis/networking.k8s.io/v1 14 43
apis/policy/v1 4 11
apis/rbac.authorization.k8s.io/v1 10 30
apis/storage.k8s.io/v1 14 46
apis/admissionregistration.k8s.io/v1 13 45
apis/apiextensions.k8s.io/v1 3 10
apis/scheduling.k8s.io/v1 2 7
apis/coordination.k8s.io/v1 3 8
apis/node.k8s.io/v1 2 7
apis/discovery.k8s.io/v1 3 8
apis/flowcontrol.apiserver.k8s.io/v1 6 20
apis/resource.k8s.io/v1 11 33
`;
