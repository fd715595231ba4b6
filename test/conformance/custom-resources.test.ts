import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { openApiFiles } from "#api/node/openapi-files.ts";
import { createTestServer, type Answered, type TestServer } from "#test/api-server.ts";

/** What the conformance suite asks of custom resources, test by test (docs/conformance.md). */
const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const group = "stable.example.com";

interface Definition {
  readonly plural: string;
  readonly kind: string;
  readonly schemas: Readonly<Record<string, JsonObject>>;
}

/** The first version is the stored one. */
function definitionOf({ plural, kind, schemas }: Definition): JsonObject {
  const versions = Object.entries(schemas).map(([name, openAPIV3Schema], index) => ({
    name,
    served: true,
    storage: index === 0,
    schema: { openAPIV3Schema },
    subresources: { status: {} },
  }));
  const names = { plural, singular: kind.toLowerCase(), kind, listKind: `${kind}List` };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `${plural}.${group}` },
    spec: { group, scope: "Cluster", names, versions },
  };
}

async function define(api: TestServer, definition: Definition): Promise<void> {
  const created = await api.send("POST", definitions, { body: definitionOf(definition) });
  assert.equal(created.status, 201, created.text);
  for (const version of Object.keys(definition.schemas)) {
    await eventually(
      () => api.send("GET", `/apis/${group}/${version}/${definition.plural}`),
      ({ status }) => status === 200,
    );
  }
}

/** The server takes a definition up in its own time: the answer is asked for until it is there. */
async function eventually<T>(ask: () => Promise<T>, isThere: (answer: T) => boolean): Promise<T> {
  for (;;) {
    const answer = await ask();
    if (isThere(answer)) return answer;
    await new Promise((resolve) => setImmediate(resolve));
  }
}

const ports = {
  type: "array",
  "x-kubernetes-list-type": "map",
  "x-kubernetes-list-map-keys": ["containerPort", "protocol"],
  items: {
    type: "object",
    required: ["containerPort", "protocol"],
    properties: {
      containerPort: { type: "integer", format: "int32" },
      name: { type: "string" },
      protocol: { type: "string" },
    },
  },
};
const specFields = { foo: { type: "string" }, cronSpec: { type: "string" }, ports };
const embedded = {
  type: "object",
  "x-kubernetes-embedded-resource": true,
  properties: {
    metadata: { type: "object", properties: { name: { type: "string" } } },
    spec: { type: "object" },
  },
};
const validSpec = `
  foo: foo1
  cronSpec: "* * * * */5"
  ports:
  - name: x
    containerPort: 80
    protocol: TCP`;

function specOf(more: JsonObject): JsonObject {
  const { properties = {}, ...rest } = more;
  const fields = { ...specFields, ...(properties as JsonObject) };
  return { type: "object", properties: { spec: { type: "object", ...rest, properties: fields } } };
}

const open = { type: "object", "x-kubernetes-preserve-unknown-fields": true };
const keeping = { "x-kubernetes-preserve-unknown-fields": true };

const validations: readonly {
  readonly what: string;
  readonly schema: JsonObject;
  readonly text: string;
  readonly refusal?: RegExp;
}[] = [
  {
    what: "a valid CR for CRD with validation schema",
    schema: specOf({}),
    text: `spec:${validSpec}`,
  },
  {
    what: "a CR with unknown fields for CRD with no validation schema",
    schema: open,
    text: `spec:\n  unknown: uk1${validSpec}`,
  },
  {
    what: "an invalid CR with extra properties for CRD with validation schema",
    schema: specOf({}),
    text: `unknownField: unknown\nspec:${validSpec}`,
    refusal: /\.unknownField: field not declared in schema/,
  },
  {
    what: "unknown metadata fields in both the root and embedded object of a CR",
    schema: specOf({ ...keeping, properties: { template: embedded } }),
    text: `  unknownMeta: unknown
spec:
  template:
    apiversion: foo/v1
    kind: Sub
    metadata:
      unknownSubMeta: unknown
      name: subobject
      namespace: default${validSpec}`,
    refusal: /metadata\.unknown(Sub)?Meta: field not declared in schema/,
  },
  {
    what: "duplicates in a CR when preserving unknown fields",
    schema: specOf(keeping),
    text: `spec:\n  unknown: uk1\n  foo: foo0${validSpec}`,
    refusal: /line 8: key \\?"foo\\?" already set in map/,
  },
];

test("strictly applied custom resources: what is unknown or doubled is refused in upstream's words", async () => {
  for (const { what, schema, text, refusal } of validations) {
    await using api = await createTestServer();
    await define(api, { plural: "noxus", kind: "Noxu", schemas: { v1: schema } });
    const body = `apiVersion: ${group}/v1\nkind: Noxu\nmetadata:\n  name: mytest\n${text}\n`;
    const path = `/apis/${group}/v1/noxus/mytest?fieldManager=m&fieldValidation=Strict`;
    const headers = { "content-type": "application/apply-patch+yaml" };
    const answer = await api.send("PATCH", path, { text: body, headers });
    if (refusal === undefined) assert.equal(answer.status, 201, `${what}: ${answer.text}`);
    else assert.match(answer.text, refusal, what);
  }
});

test("strictly created built-in objects: what is unknown or doubled is refused in upstream's words", async () => {
  await using api = await createTestServer();
  const deployment = (metadata: string, spec: string): string => `{
    "apiVersion": "apps/v1", "kind": "Deployment",
    "metadata": {"name": "my-dep", ${metadata} "labels": {"app": "nginx"}},
    "spec": {${spec} "selector": {"matchLabels": {"app": "nginx"}},
      "template": {"metadata": {"labels": {"app": "nginx"}},
        "spec": {"containers": [{"name": "nginx", "image": "nginx:latest"}]}}}}`;
  const refusals: [string, string, string][] = [
    [
      "",
      `"unknownField": "foo", "replicas": 2, "replicas": 3,`,
      `strict decoding error: unknown field "spec.unknownField", duplicate field "spec.replicas"`,
    ],
    [`"unknownMeta": "foo",`, "", `strict decoding error: unknown field "metadata.unknownMeta"`],
  ];
  for (const [metadata, spec, message] of refusals) {
    const answer = await api.send(
      "POST",
      "/apis/apps/v1/namespaces/default/deployments?fieldManager=m&fieldValidation=Strict",
      { text: deployment(metadata, spec), headers: { "content-type": "application/json" } },
    );
    assert.equal(answer.status, 400, answer.text);
    assert.ok(String(answer.body.message as string).includes(message), answer.text);
  }
});

test("defaults reach what is stored when it is read, and stay in what was written with them", async () => {
  await using api = await createTestServer();
  const text = { type: "string" };
  const schema = { ...open, properties: { a: text, b: text } };
  await define(api, { plural: "noxus", kind: "Noxu", schemas: { v1: schema } });
  const objects = `/apis/${group}/v1/noxus`;
  const make = (name: string): Promise<Answered> =>
    api.send("POST", objects, {
      body: { apiVersion: `${group}/v1`, kind: "Noxu", metadata: { name } },
    });
  const patch = async (operations: readonly JsonObject[]): Promise<void> => {
    const at = "/spec/versions/0/schema/openAPIV3Schema/properties";
    const body = operations.map((one) => ({ ...one, path: `${at}/${one.path as string}` }));
    const headers = { "content-type": "application/json-patch+json" };
    const patched = await api.send("PATCH", `${definitions}/noxus.${group}`, { body, headers });
    assert.equal(patched.status, 200, patched.text);
  };
  const shown = async (name: string) => {
    const { a, b } = (await api.send("GET", `${objects}/${name}`)).body;
    return { a, b };
  };
  await make("one");
  await patch([{ op: "add", path: "a/default", value: "A" }]);
  await eventually(
    () => shown("one"),
    ({ a }) => a === "A",
  );
  assert.equal((await make("two")).body.a, "A");
  await patch([
    { op: "remove", path: "a/default" },
    { op: "add", path: "b/default", value: "B" },
  ]);
  const two = await eventually(
    () => shown("two"),
    ({ b }) => b === "B",
  );
  assert.deepEqual(two, { a: "A", b: "B" });
  assert.deepEqual(await shown("one"), { a: undefined, b: "B" });
});

test("a definition's status is read, updated and patched; definitions are listed and deleted together", async () => {
  await using api = await createTestServer();
  await define(api, { plural: "noxus", kind: "Noxu", schemas: { v1: open } });
  const path = `${definitions}/noxus.${group}/status`;
  const condition = {
    type: "StatusUpdate",
    status: "True",
    reason: "E2E",
    message: "Set by a test",
  };
  const read = (await api.send("GET", path)).body as { status: { conditions: JsonObject[] } };
  read.status.conditions.push(condition);
  const updated = await api.send("PUT", path, { body: read });
  assert.equal(updated.status, 200, updated.text);
  const headers = { "content-type": "application/merge-patch+json" };
  const conditions = [...read.status.conditions, { ...condition, type: "StatusPatched" }];
  const patched = await api.send("PATCH", path, { body: { status: { conditions } }, headers });
  const types = ((patched.body.status as JsonObject).conditions as JsonObject[]).map(
    ({ type }) => type,
  );
  assert.deepEqual(types.slice(-2), ["StatusUpdate", "StatusPatched"], patched.text);

  for (const plural of ["ones", "twos"]) {
    const body = definitionOf({ plural, kind: plural, schemas: { v1: open } });
    const labelled = {
      ...body,
      metadata: { ...(body.metadata as JsonObject), labels: { e2e: "x" } },
    };
    assert.equal((await api.send("POST", definitions, { body: labelled })).status, 201);
  }
  const selected = `${definitions}?labelSelector=e2e%3Dx`;
  const count = async () => ((await api.send("GET", selected)).body.items as JsonObject[]).length;
  assert.equal(await count(), 2);
  await api.send("DELETE", selected);
  await eventually(count, (left) => left === 0);
});

test("objects of a definition are watched as they are made, changed and deleted", async () => {
  await using api = await createTestServer();
  await define(api, { plural: "noxus", kind: "Noxu", schemas: { v1: open } });
  const objects = `/apis/${group}/v1/noxus`;
  const watch = await api.watch(`${objects}?watch=true`);
  const headers = { "content-type": "application/merge-patch+json" };
  for (const name of ["a", "b"]) {
    await api.send("POST", objects, {
      body: { apiVersion: `${group}/v1`, kind: "Noxu", metadata: { name } },
    });
    await api.send("PATCH", `${objects}/${name}`, { body: { dummy: "x" }, headers });
  }
  for (const name of ["a", "b"]) await api.send("DELETE", `${objects}/${name}`);
  const events: string[] = [];
  while (events.length < 6) {
    const event = await watch.next();
    const metadata = event?.object.metadata as JsonObject | undefined;
    events.push(`${event?.type} ${metadata?.name as string}`);
  }
  watch.close();
  const expected = ["ADDED a", "MODIFIED a", "ADDED b", "MODIFIED b", "DELETED a", "DELETED b"];
  assert.deepEqual(events, expected);
});

test("published schemas follow the versions that are served, and keep those of other kinds apart", async () => {
  await using api = await createTestServer({ openApi: openApiFiles });
  const field = (name: string) => ({ type: "object", properties: { [name]: { type: "string" } } });
  await define(api, { plural: "foos", kind: "Foo", schemas: { v2: field("a"), v3: field("b") } });
  await define(api, { plural: "bars", kind: "Bar", schemas: { v2: field("c") } });
  const fieldsOf = async (version: string, kind: string): Promise<unknown> => {
    const document = (await api.send("GET", "/openapi/v2")).body as { definitions: JsonObject };
    const found = document.definitions[`com.example.stable.${version}.${kind}`] as JsonObject;
    const names = Object.keys((found?.properties ?? {}) as JsonObject);
    return found && names.filter((name) => name.length === 1).join();
  };
  const published = async () => [
    await fieldsOf("v2", "Foo"),
    await fieldsOf("v3", "Foo"),
    await fieldsOf("v4", "Foo"),
    await fieldsOf("v2", "Bar"),
  ];
  const become = (expected: readonly unknown[]) =>
    eventually(published, (found) => found.join(" ") === expected.join(" "));
  await become(["a", "b", undefined, "c"]);
  const path = `${definitions}/foos.${group}`;
  const headers = { "content-type": "application/json-patch+json" };
  const change = async (operation: JsonObject): Promise<void> => {
    const changed = await api.send("PATCH", path, { body: [operation], headers });
    assert.equal(changed.status, 200, changed.text);
  };
  await change({ op: "replace", path: "/spec/versions/1/name", value: "v4" });
  await become(["a", undefined, "b", "c"]);
  await change({ op: "replace", path: "/spec/versions/1/served", value: false });
  await become(["a", undefined, undefined, "c"]);
});
