import { deepEqual, equal, match, ok } from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { createMemoryStore } from "#storage/memory-store.ts";
import { createTestServer, type Answered, type TestServer } from "#test/api-server.ts";

const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const cronTabs = "/apis/stable.example.com/v1/namespaces/default/crontabs";
const name = "crontabs.stable.example.com";

test("a definition brings a kind that can be used at once, everywhere", async () => {
  await using server = await createTestServer();
  equal((await server.send("POST", definitions, { body: cronTabDefinition() })).status, 201);
  const established = await settled(server);
  deepEqual(conditionsOf(established), [
    ["NamesAccepted", "True", "NoConflicts"],
    ["Established", "True", "InitialNamesAccepted"],
  ]);
  deepEqual((established.status as JsonObject).acceptedNames, cronTabDefinition().spec.names);
  deepEqual((established.status as JsonObject).storedVersions, ["v1"]);

  const created = await server.send("POST", cronTabs, { body: cronTab({ image: "a" }) });
  equal(created.status, 201, created.text);
  deepEqual(created.body.spec, { cronSpec: "* * * * */5", image: "a", replicas: 1 });
  equal((created.body.metadata as JsonObject).generation, 1);

  const legacy = await server.send("GET", "/apis/stable.example.com/v1");
  deepEqual(
    (legacy.body.resources as JsonObject[]).map((one) => [one.name, one.kind, one.shortNames]),
    [
      ["crontabs", "CronTab", ["ct"]],
      ["crontabs/scale", "Scale", undefined],
      ["crontabs/status", "CronTab", undefined],
    ],
  );
  const aggregated = await server.send("GET", "/apis", {
    headers: { accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" },
  });
  match(aggregated.text, /"name":"stable.example.com"/);

  const table = await server.send("GET", cronTabs, {
    headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" },
  });
  deepEqual(
    (table.body.rows as JsonObject[]).map((row) => row.cells),
    [["my", "* * * * */5", 1, "0s"]],
  );
  const list = await server.send("GET", `${cronTabs}?fieldSelector=spec.image%3Da`);
  deepEqual([list.body.kind, (list.body.items as JsonObject[]).length], ["CronTabList", 1]);
  const none = await server.send("GET", `${cronTabs}?fieldSelector=spec.image%3Db`);
  deepEqual(none.body.items, []);
});

test("invalid objects are refused with every violation in upstream's words", async (context) => {
  await using server = await createTestServer();
  await define(server, cronTabDefinition());
  const cases: readonly (readonly [string, JsonObject, readonly string[]])[] = [
    [
      "type",
      { spec: { cronSpec: 5, replicas: "three" } },
      [
        'spec.cronSpec: Invalid value: "integer": spec.cronSpec in body must be of type string: "integer"',
        'spec.replicas: Invalid value: "string": spec.replicas in body must be of type integer: "string"',
      ],
    ],
    ["required", { spec: { image: "a" } }, ["spec.cronSpec: Required value"]],
    [
      "pattern, bounds, enum",
      { spec: { cronSpec: "often", replicas: 12, policy: "Sometimes" } },
      [
        String.raw`spec.cronSpec: Invalid value: "often": spec.cronSpec in body should match '^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$'`,
        "spec.replicas: Invalid value: 12: spec.replicas in body should be less than or equal to 10",
        'spec.policy: Unsupported value: "Sometimes": supported values: "Always", "Never"',
      ],
    ],
    [
      "lists",
      {
        spec: {
          cronSpec: "* * * * *",
          tags: ["a", "b", "a", "c"],
          ports: [{ name: "a" }, { name: "a", port: 0 }],
        },
      },
      [
        "spec.tags: Too many: 4: must have at most 3 items",
        "spec.ports[1].port: Invalid value: 0: spec.ports[1].port in body should be greater than or equal to 1",
        'spec.tags[2]: Duplicate value: "a"',
        'spec.ports[1]: Duplicate value: {"name":"a"}',
      ],
    ],
    [
      "combinations, int-or-string, null, format",
      { spec: { cronSpec: null, amount: true, source: {}, since: "yesterday" } },
      [
        "spec.cronSpec: Required value",
        'spec.amount: Invalid value: "boolean": spec.amount in body must be of type integer,string: "boolean"',
        '<nil>: Invalid value: "": "spec.source" must validate one and only one schema (oneOf). Found none valid',
        "spec.source.git: Required value",
        'spec.since: Invalid value: "yesterday": spec.since in body must be of type date-time: "yesterday"',
      ],
    ],
  ];
  for (const [title, object, expected] of cases) {
    await context.test(title, async () => {
      const answer = await server.send("POST", cronTabs, { body: { ...cronTab({}), ...object } });
      const { causes } = answer.body.details as { causes: { field: string; message: string }[] };
      deepEqual(
        [answer.status, causes.map((one) => `${one.field}: ${one.message}`)],
        [422, expected],
      );
    });
  }
});

test("unknown fields are dropped, reported or refused as the request asks", async () => {
  await using server = await createTestServer();
  await define(server, cronTabDefinition());
  const body = cronTab({ colour: "red" });
  const strict = await server.send("POST", `${cronTabs}?fieldValidation=Strict`, { body });
  equal(
    strict.body.message,
    'CronTab in version "v1" cannot be handled as a CronTab: strict decoding error: unknown field "spec.colour"',
  );
  const warned = await server.send("POST", `${cronTabs}?fieldValidation=Warn`, { body });
  deepEqual(
    [warned.status, warningsOf(warned), (warned.body.spec as JsonObject).colour],
    [201, [String.raw`299 - "unknown field \"spec.colour\""`], undefined],
  );
});

test("an update of what is not there says so before it asks for a version", async () => {
  await using server = await createTestServer();
  await define(server, cronTabDefinition());
  const made = await server.send("POST", cronTabs, { body: cronTab({}) });
  const { metadata } = made.body as { metadata: { name: string; resourceVersion: string } };
  const { resourceVersion: _, ...unversioned } = metadata;
  const there = `${cronTabs}/${metadata.name}`;
  const update = { ...made.body, metadata: unversioned };
  equal((await server.send("PUT", there, { body: update })).status, 422);
  const body = { ...update, metadata: { name: "other" } };
  equal((await server.send("PUT", `${cronTabs}/other`, { body })).status, 404);
});

test("patches: merge, JSON and apply; strategic merge has no meaning for custom kinds", async () => {
  await using server = await createTestServer();
  await define(server, cronTabDefinition());
  await server.send("POST", cronTabs, { body: cronTab({ ports: [{ name: "a", port: 1 }] }) });
  const patch = (type: string, body: unknown, query = ""): Promise<Answered> =>
    server.send("PATCH", `${cronTabs}/my${query}`, {
      text: JSON.stringify(body),
      headers: { "content-type": `application/${type}` },
    });
  equal((await patch("strategic-merge-patch+json", { spec: {} })).status, 415);
  const merged = await patch("merge-patch+json", { spec: { replicas: 3 } });
  equal((merged.body.spec as JsonObject).replicas, 3);
  const changed = await patch("json-patch+json", [
    { op: "replace", path: "/spec/replicas", value: "x" },
  ]);
  equal(changed.status, 422);
  const applied = await patch(
    "apply-patch+yaml",
    {
      apiVersion: "stable.example.com/v1",
      kind: "CronTab",
      spec: { ports: [{ name: "b", port: 2 }] },
    },
    "?fieldManager=me",
  );
  deepEqual((applied.body.spec as JsonObject).ports, [
    { name: "a", port: 1 },
    { name: "b", port: 2 },
  ]);
  equal((applied.body.metadata as JsonObject).generation, 3);
});

test("status and scale are parts of their own", async () => {
  await using server = await createTestServer();
  await define(server, cronTabDefinition());
  const body = { ...cronTab({}), status: { replicas: 7 } };
  const created = await server.send("POST", cronTabs, { body });
  equal(created.body.status, undefined);
  const status = { ...created.body, status: { replicas: 7, labelSelector: "a=b" }, spec: {} };
  const updated = await server.send("PUT", `${cronTabs}/my/status`, { body: status });
  deepEqual((updated.body.status as JsonObject).replicas, 7, updated.text);
  const scale = await server.send("GET", `${cronTabs}/my/scale`);
  deepEqual(
    [scale.body.spec, scale.body.status],
    [{ replicas: 1 }, { replicas: 7, selector: "a=b" }],
  );
  await server.send("PATCH", `${cronTabs}/my/scale`, {
    text: '{"spec":{"replicas":4}}',
    headers: { "content-type": "application/merge-patch+json" },
  });
  const read = await server.send("GET", `${cronTabs}/my`);
  equal((read.body.spec as JsonObject).replicas, 4);
});

test("a second version shows what the first stored, with its own defaults and a warning", async () => {
  await using server = await createTestServer();
  await define(server, cronTabDefinition());
  await server.send("POST", cronTabs, { body: cronTab({}) });
  const definition = (await server.send("GET", `${definitions}/${name}`)).body as Definition;
  const [first] = definition.spec.versions;
  ok(first);
  const second = structuredClone({ ...first, name: "v2", storage: true });
  second.schema.openAPIV3Schema.properties.spec.properties.mood = {
    type: "string",
    default: "good",
  };
  definition.spec.versions = [
    Object.assign(structuredClone(first), { storage: false, deprecated: true }),
    second,
  ];
  const changed = await server.send("PUT", `${definitions}/${name}`, { body: definition });
  equal(changed.status, 200, changed.text);
  deepEqual((changed.body.status as JsonObject).storedVersions, ["v1", "v2"]);
  const asV2 = await server.send("GET", cronTabs.replace("/v1/", "/v2/") + "/my");
  deepEqual(
    [asV2.body.apiVersion, (asV2.body.spec as JsonObject).mood, warningsOf(asV2)],
    ["stable.example.com/v2", "good", []],
  );
  const asV1 = await server.send("GET", `${cronTabs}/my`);
  deepEqual(warningsOf(asV1), ['299 - "stable.example.com/v1 CronTab is deprecated"']);
  equal((asV1.body.spec as JsonObject).mood, undefined);
});

test("deleting a definition deletes its objects, and waits for their finalizers", async () => {
  await using server = await createTestServer();
  await define(server, cronTabDefinition());
  const held = cronTab({});
  await server.send("POST", cronTabs, {
    body: { ...held, metadata: { name: "my", finalizers: ["example.com/hold"] } },
  });
  await server.send("POST", cronTabs, { body: { ...held, metadata: { name: "free" } } });
  const deleted = await server.send("DELETE", `${definitions}/${name}`);
  deepEqual((deleted.body.metadata as JsonObject).finalizers, [
    "customresourcecleanup.apiextensions.k8s.io",
  ]);
  await turns();
  deepEqual(conditionsOf((await server.send("GET", `${definitions}/${name}`)).body).at(-1), [
    "Terminating",
    "True",
    "InstanceDeletionInProgress",
  ]);
  equal((await server.send("POST", cronTabs, { body: held })).status, 405);
  const left = (await server.send("GET", cronTabs)).body.items as JsonObject[];
  deepEqual(
    left.map((one) => (one.metadata as JsonObject).name),
    ["my"],
  );
  await release(server, left[0] ?? {});
  await turns();
  equal((await server.send("GET", `${definitions}/${name}`)).status, 404);
  equal((await server.send("GET", cronTabs)).status, 404);
  equal((await server.send("GET", "/apis/stable.example.com")).status, 404);
});

test("names that are taken are not accepted until they come free", async () => {
  await using server = await createTestServer();
  await define(server, cronTabDefinition());
  const rival = cronTabDefinition();
  rival.metadata.name = "others.stable.example.com";
  rival.spec.names.plural = "others";
  rival.spec.names.singular = "other";
  await server.send("POST", definitions, { body: rival });
  await turns();
  const path = `${definitions}/others.stable.example.com`;
  deepEqual(conditionsOf((await server.send("GET", path)).body), [
    ["NamesAccepted", "False", "ListKindConflict"],
    ["Established", "False", "NotAccepted"],
  ]);
  await server.send("DELETE", `${definitions}/${name}`);
  await turns();
  deepEqual(conditionsOf((await server.send("GET", path)).body), [
    ["NamesAccepted", "True", "NoConflicts"],
    ["Established", "True", "InitialNamesAccepted"],
  ]);
});

test("a server that starts again serves the stored definitions", async () => {
  const store = createMemoryStore();
  {
    await using server = await createTestServer({ store });
    await define(server, cronTabDefinition());
    await server.send("POST", cronTabs, { body: cronTab({}) });
  }
  await using server = await createTestServer({ store });
  equal((await server.send("GET", `${cronTabs}/my`)).status, 200);
});

test("rules of a schema are carried out; values that have not changed pass", async () => {
  await using server = await createTestServer();
  const definition = cronTabDefinition();
  const spec = definition.spec.versions[0]?.schema.openAPIV3Schema.properties.spec ?? {
    properties: {},
  };
  const rules = [
    { rule: "self.replicas < 5", messageExpression: "'too many: %d'.format([self.replicas])" },
    { rule: "self.replicas >= oldSelf.replicas", message: "only more", fieldPath: ".replicas" },
  ];
  Object.assign(spec, { "x-kubernetes-validations": rules });
  await define(server, definition);
  const create = (replicas: number) =>
    server.send("POST", cronTabs, { body: cronTab({ replicas }) });
  const refused = await create(7);
  deepEqual(
    [refused.status, refused.body.details],
    [422, detailsOf("spec", "Invalid value: too many: 7")],
  );
  equal((await create(3)).status, 201);
  const update = (replicas: number) =>
    server.send("PATCH", `${cronTabs}/my`, {
      body: { spec: { replicas } },
      headers: { "content-type": "application/merge-patch+json" },
    });
  const fewer = await update(2);
  deepEqual(fewer.body.details, detailsOf("spec.replicas", "Invalid value: only more"));
  equal((await update(4)).status, 200);
});

test("rules that are wrong or could cost too much are refused with the definition", async () => {
  await using server = await createTestServer();
  const definition = cronTabDefinition();
  const spec = definition.spec.versions[0]?.schema.openAPIV3Schema.properties.spec ?? {
    properties: {},
  };
  const rules = [
    { rule: "self.nothing == 1" },
    { rule: "self.tags.all(a, self.tags.all(b, a == b || a.contains(b)))" },
    { rule: "self.replicas" },
  ];
  Object.assign(spec.properties, { tags: { type: "array", items: { type: "string" } } });
  Object.assign(spec, { "x-kubernetes-validations": rules });
  const refused = await server.send("POST", definitions, { body: definition });
  equal(refused.status, 422);
  const { causes } = refused.body.details as { causes: { field: string; message: string }[] };
  const at = "spec.versions[0].schema.openAPIV3Schema";
  const rule = (index: number) => `${at}.properties[spec].x-kubernetes-validations[${index}].rule`;
  deepEqual(
    causes.map(({ field, message }) => [field, message.slice(0, 100)]),
    [
      [
        rule(0),
        'Invalid value: {"rule":"self.nothing == 1"}: compilation failed: ERROR: <input>:1:5: undefined field',
      ],
      [
        rule(1),
        "Forbidden: estimated rule cost exceeds budget by factor of more than 100x (try simplifying the rule,",
      ],
      [rule(2), 'Invalid value: {"rule":"self.replicas"}: cel expression must evaluate to a bool'],
      [
        rule(1),
        "Forbidden: contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema",
      ],
      [
        at,
        "Forbidden: x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema exceeds bu",
      ],
    ],
  );
});

function detailsOf(field: string, message: string): unknown {
  const { group, kind, name } = { group: "stable.example.com", kind: "CronTab", name: "my" };
  return { name, group, kind, causes: [{ reason: "FieldValueInvalid", message, field }] };
}

test("integers that cannot be kept exactly are warned of", async () => {
  await using server = await createTestServer();
  const definition = cronTabDefinition();
  const spec = definition.spec.versions[0]?.schema.openAPIV3Schema.properties.spec ?? {
    properties: {},
  };
  Object.assign(spec.properties, { serial: { type: "integer" } });
  await define(server, definition);
  const text = JSON.stringify(cronTab({ serial: 1 }))
    .replace(":1,", ":9007199254740993,")
    .replace(":1}", ":9007199254740993}");
  const made = await server.send("POST", cronTabs, { text });
  equal(made.status, 201, made.text);
  deepEqual(warningsOf(made), [
    '299 - "spec.serial: 9007199254740992 may not be exactly what was sent: integers beyond 9007199254740991 are rounded"',
  ]);
});

test("watches of a kind end with it, and when another definition takes its place", async () => {
  await using server = await createTestServer();
  await define(server, cronTabDefinition());
  const before = await server.watch(`${cronTabs}?watch=1`);
  const patch = (spec: JsonObject) =>
    server.send("PATCH", `${definitions}/${name}`, {
      body: { spec },
      headers: { "content-type": "application/merge-patch+json" },
    });
  equal((await patch({ names: { categories: ["all"] } })).status, 200);
  equal(await before.next(), undefined);
  await turns();
  await server.send("POST", cronTabs, { body: cronTab({}) });
  const watch = await server.watch(`${cronTabs}?watch=1&resourceVersion=0`);
  equal((await server.send("DELETE", `${definitions}/${name}`)).status, 200);
  const types: unknown[] = [];
  for (let event = await watch.next(); event !== undefined; event = await watch.next()) {
    types.push(event.type);
  }
  deepEqual(types, ["ADDED", "DELETED"]);
});

test("schemas that are not structural are refused", async () => {
  await using server = await createTestServer();
  const definition = cronTabDefinition();
  const [version] = definition.spec.versions;
  ok(version);
  Object.assign(version.schema.openAPIV3Schema.properties.spec.properties, {
    untyped: { description: "nothing" },
    nested: { type: "object", anyOf: [{ type: "string", properties: { gone: {} } }] },
    closed: { type: "object", additionalProperties: false },
    several: { type: "array" },
    wrong: { type: "integer", default: "three" },
  });
  const answer = await server.send("POST", definitions, { body: definition });
  const { causes } = answer.body.details as { causes: { field: string; message: string }[] };
  const root = "spec.versions[0].schema.openAPIV3Schema.properties[spec].properties";
  deepEqual(causes.map((one) => `${one.field.replace(root, "")}: ${one.message}`).toSorted(), [
    "[closed].additionalProperties: Forbidden: additionalProperties cannot be set to false",
    "[nested].anyOf[0].type: Forbidden: must be empty to be structural",
    `[nested].properties[gone]: Required value: because it is defined in ${root}[nested].anyOf[0].properties[gone]`,
    "[several].items: Required value: must be specified",
    "[untyped].type: Required value: must not be empty for specified object fields",
    '[wrong].default: Invalid value: "three": must be of type integer: "string"',
  ]);
});

interface Definition extends JsonObject {
  metadata: { name: string };
  spec: {
    group: string;
    scope: string;
    names: {
      plural: string;
      singular: string;
      kind: string;
      listKind: string;
      shortNames: string[];
    };
    versions: {
      name: string;
      served: boolean;
      storage: boolean;
      schema: {
        openAPIV3Schema: {
          type: string;
          properties: {
            spec: { type: string; required: string[]; properties: JsonObject };
            status: JsonObject;
          };
        };
      };
      subresources: JsonObject;
      additionalPrinterColumns: JsonObject[];
      selectableFields: JsonObject[];
    }[];
  };
}

function cronTabDefinition(): Definition {
  const spec = {
    type: "object",
    required: ["cronSpec"],
    properties: {
      cronSpec: { type: "string", pattern: String.raw`^(\d+|\*)(/\d+)?(\s+(\d+|\*)(/\d+)?){4}$` },
      image: { type: "string" },
      replicas: { type: "integer", minimum: 1, maximum: 10, default: 1 },
      policy: { type: "string", enum: ["Always", "Never"] },
      tags: {
        type: "array",
        maxItems: 3,
        "x-kubernetes-list-type": "set",
        items: { type: "string" },
      },
      ports: {
        type: "array",
        "x-kubernetes-list-type": "map",
        "x-kubernetes-list-map-keys": ["name"],
        items: {
          type: "object",
          required: ["name"],
          properties: { name: { type: "string" }, port: { type: "integer", minimum: 1 } },
        },
      },
      amount: { "x-kubernetes-int-or-string": true },
      since: { type: "string", format: "date-time" },
      source: {
        type: "object",
        properties: { git: { type: "string" }, file: { type: "string" } },
        oneOf: [{ required: ["git"] }, { required: ["file"] }],
      },
    },
  };
  const status = {
    type: "object",
    properties: { replicas: { type: "integer" }, labelSelector: { type: "string" } },
  };
  return {
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name },
    spec: {
      group: "stable.example.com",
      scope: "Namespaced",
      names: {
        plural: "crontabs",
        singular: "crontab",
        kind: "CronTab",
        listKind: "CronTabList",
        shortNames: ["ct"],
      },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: { openAPIV3Schema: { type: "object", properties: { spec, status } } },
          subresources: {
            status: {},
            scale: {
              specReplicasPath: ".spec.replicas",
              statusReplicasPath: ".status.replicas",
              labelSelectorPath: ".status.labelSelector",
            },
          },
          additionalPrinterColumns: [
            { name: "Spec", type: "string", jsonPath: ".spec.cronSpec" },
            { name: "Replicas", type: "integer", jsonPath: ".spec.replicas" },
            { name: "Age", type: "date", jsonPath: ".metadata.creationTimestamp" },
          ],
          selectableFields: [{ jsonPath: ".spec.image" }],
        },
      ],
    },
  };
}

function cronTab(spec: JsonObject): JsonObject {
  return {
    apiVersion: "stable.example.com/v1",
    kind: "CronTab",
    metadata: { name: "my" },
    spec: { cronSpec: "* * * * */5", ...spec },
  };
}

async function define(server: TestServer, definition: Definition): Promise<void> {
  const created = await server.send("POST", definitions, { body: definition });
  equal(created.status, 201, created.text);
  await settled(server);
}

async function settled(server: TestServer): Promise<JsonObject> {
  await turns();
  return (await server.send("GET", `${definitions}/${name}`)).body;
}

async function release(server: TestServer, object: JsonObject): Promise<void> {
  const metadata = { ...(object.metadata as JsonObject), finalizers: [] };
  await server.send("PUT", `${cronTabs}/my`, { body: { ...object, metadata } });
}

/** Lets what writes have set off come to its end: the memory store needs no time. */
async function turns(): Promise<void> {
  for (let turn = 0; turn < 10; turn += 1) await new Promise((resolve) => setImmediate(resolve));
}

function conditionsOf(definition: JsonObject): unknown[] {
  const { conditions } = definition.status as { conditions: JsonObject[] };
  return conditions.map(({ type, status, reason }) => [type, status, reason]);
}

function warningsOf(answer: Answered): string[] {
  return answer.headers.filter(([header]) => header === "warning").map(([, value]) => value);
}
