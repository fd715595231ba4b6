import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { createOutgoing } from "#apiserver/node/outgoing/outgoing.ts";
import { objectAt, objectsAt, stringAt, stringsAt } from "#apiserver/objects/json.ts";
import { createTestServer, type TestServer } from "#test/api-server.ts";
import { startWebhookServer, type WebhookServer } from "#test/webhook-server.ts";

const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
const at = (version: string) => `/apis/example.com/${version}/namespaces/default/hosts`;

interface Setup extends AsyncDisposable {
  readonly api: TestServer;
  readonly webhook: WebhookServer;
}

type Convert = (object: JsonObject, desired: string) => JsonObject;

/** `v1` has `hostPort: "localhost:80"`, `v2` has `host` and `port`. */
const split: Convert = (object, desired) => {
  const { hostPort, host, port, ...rest } = object;
  if (desired === "example.com/v1") {
    return {
      ...rest,
      apiVersion: desired,
      hostPort: `${stringAt({ host: host ?? "" }, "host")}:${stringAt({ port: port ?? "" }, "port")}`,
    };
  }
  const [first = "", second = ""] = stringAt({ hostPort: hostPort ?? "" }, "hostPort").split(":");
  return { ...rest, apiVersion: desired, host: first, port: second };
};

async function setUp(convert: Convert = split, more: JsonObject = {}): Promise<Setup> {
  const stack = new AsyncDisposableStack();
  const webhook = stack.use(
    await startWebhookServer(({ body }) => {
      const request = objectAt(body, "request");
      const desired = stringAt(request, "desiredAPIVersion");
      const response = {
        uid: request.uid ?? "",
        result: { status: "Success" },
        convertedObjects: objectsAt(request, "objects").map((object) => convert(object, desired)),
        ...more,
      };
      const { kind = "", apiVersion = "" } = body;
      return { body: { kind, apiVersion, response } };
    }),
  );
  const outgoing = stack.use(createOutgoing());
  const api = stack.use(await createTestServer({ outgoing }));
  await define({ api, webhook });
  return { api, webhook, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

async function define({ api, webhook }: Pick<Setup, "api" | "webhook">): Promise<void> {
  const text = { type: "string" };
  const version = (name: string, properties: JsonObject) => ({
    name,
    served: true,
    storage: name === "v1",
    schema: { openAPIV3Schema: { type: "object", properties } },
    selectableFields: Object.keys(properties).map((field) => ({ jsonPath: `.${field}` })),
    additionalPrinterColumns: [{ name: "Port", type: "string", jsonPath: ".port" }],
  });
  const body = {
    metadata: { name: "hosts.example.com" },
    spec: {
      group: "example.com",
      scope: "Namespaced",
      names: { plural: "hosts", singular: "host", kind: "Host", listKind: "HostList" },
      versions: [version("v1", { hostPort: text }), version("v2", { host: text, port: text })],
      conversion: {
        strategy: "Webhook",
        webhook: {
          clientConfig: { url: `${webhook.url}/convert`, caBundle: webhook.caBundle },
          conversionReviewVersions: ["v1"],
        },
      },
    },
  };
  const created = await api.send("POST", definitions, { body });
  assert.equal(created.status, 201, created.text);
  while ((await api.send("GET", "/apis/example.com/v2")).status !== 200) await Promise.resolve();
}

function content({ hostPort = null, host = null, port = null }: JsonObject) {
  return hostPort ?? [host, port];
}

test("what is written in one version is read in both", async () => {
  await using setup = await setUp();
  const { api, webhook } = setup;
  const make = (version: string, name: string, fields: JsonObject) =>
    api.send("POST", at(version), {
      body: { apiVersion: `example.com/${version}`, kind: "Host", metadata: { name }, ...fields },
    });
  const one = await make("v1", "one", { hostPort: "a:1" });
  const two = await make("v2", "two", { host: "b", port: "2" });
  assert.deepEqual([one.status, two.status, content(two.body)], [201, 201, ["b", "2"]]);
  const read = async (version: string, name: string) =>
    content((await api.send("GET", `${at(version)}/${name}`)).body);
  assert.deepEqual(
    [
      await read("v1", "one"),
      await read("v2", "one"),
      await read("v1", "two"),
      await read("v2", "two"),
    ],
    ["a:1", ["a", "1"], "b:2", ["b", "2"]],
  );
  const asked = webhook.asked.length;
  const list = await api.send("GET", at("v2"));
  assert.deepEqual(objectsAt(list.body, "items").map(content), [
    ["a", "1"],
    ["b", "2"],
  ]);
  await read("v2", "one");
  assert.equal(webhook.asked.length, asked, "what was converted is kept");
  const stored = (await setup.api.send("GET", `${definitions}/hosts.example.com`)).body.status;
  assert.deepEqual(stringsAt(stored as JsonObject, "storedVersions"), ["v1"]);
});

test("selectors choose by the fields of the version that is asked for", async () => {
  await using setup = await setUp();
  const { api } = setup;
  const watches = await Promise.all(
    [
      `${at("v2")}?watch=1&fieldSelector=host%3Da`,
      `${at("v1")}?watch=1&fieldSelector=hostPort%3Da:1`,
    ].map((path) => api.watch(path)),
  );
  const make = (name: string, fields: JsonObject) =>
    api.send("POST", at("v2"), {
      body: { apiVersion: "example.com/v2", kind: "Host", metadata: { name }, ...fields },
    });
  await make("one", { host: "a", port: "1" });
  await make("two", { host: "a", port: "2" });
  await make("three", { host: "b", port: "1" });
  const names = async (version: string, selector: string): Promise<string[]> => {
    const list = await api.send(
      "GET",
      `${at(version)}?fieldSelector=${encodeURIComponent(selector)}`,
    );
    return objectsAt(list.body, "items").map((item) =>
      stringAt(objectAt(item, "metadata"), "name"),
    );
  };
  const chosen = async () => [
    await names("v2", "host=a"),
    await names("v2", "host=a,port=1"),
    await names("v1", "hostPort=a:2"),
    await names("v1", "hostPort!=a:2"),
  ];
  assert.deepEqual(await chosen(), [["one", "two"], ["one"], ["two"], ["one", "three"]]);
  const wrong = await api.send("GET", `${at("v1")}?fieldSelector=host%3Da`);
  assert.deepEqual([wrong.status, wrong.body.reason], [400, "BadRequest"]);
  await api.send("DELETE", `${at("v2")}?fieldSelector=host%3Da,port%3D1`);
  const headers = { "content-type": "application/merge-patch+json" };
  await api.send("PATCH", `${at("v2")}/two`, { body: { host: "b" }, headers });
  assert.deepEqual(await chosen(), [[], [], [], ["three", "two"]]);
  const events: string[][] = [];
  for (const [index, count] of [4, 2].entries()) {
    const seen: string[] = [];
    while (seen.length < count) {
      const event = await watches[index]?.next();
      const metadata = objectAt(event?.object, "metadata");
      seen.push(`${event?.type} ${stringAt(metadata, "name")}`);
    }
    watches[index]?.close();
    events.push(seen);
  }
  assert.deepEqual(events, [
    ["ADDED one", "ADDED two", "DELETED one", "DELETED two"],
    ["ADDED one", "DELETED one"],
  ]);
});

test("a list asks its webhook once, for what is not in its version", async () => {
  await using setup = await setUp();
  const { api, webhook } = setup;
  const names = ["a", "b", "c"];
  for (const name of names) {
    await api.send("POST", at("v1"), { body: { metadata: { name }, hostPort: `${name}:1` } });
  }
  const table = await api.send("GET", `${at("v2")}?limit=2`, {
    headers: { accept: "application/json;as=Table;v=v1;g=meta.k8s.io" },
  });
  assert.deepEqual(
    objectsAt(table.body, "rows").map(({ cells }) => cells),
    [
      ["a", "1"],
      ["b", "1"],
    ],
  );
  const [question] = webhook.asked;
  const request = objectAt(question?.body, "request");
  assert.deepEqual(
    [webhook.asked.length, question?.path, request.desiredAPIVersion],
    [1, "/convert?timeout=30s", "example.com/v2"],
  );
  assert.deepEqual(
    objectsAt(request, "objects").map(({ hostPort }) => hostPort),
    ["a:1", "b:1"],
  );
});

test("a watch converts every event, in order", async () => {
  await using setup = await setUp();
  const { api } = setup;
  await api.send("POST", at("v1"), { body: { metadata: { name: "a" }, hostPort: "a:1" } });
  const watch = await api.watch(`${at("v2")}?watch=true`);
  const patch = (hostPort: string) =>
    api.send("PATCH", `${at("v1")}/a`, {
      body: { hostPort },
      headers: { "content-type": "application/merge-patch+json" },
    });
  await patch("a:2");
  await patch("a:3");
  await api.send("DELETE", `${at("v1")}/a`);
  const events: unknown[] = [];
  while (events.length < 4) {
    const event = await watch.next();
    events.push([event?.type, content(event?.object ?? {})]);
  }
  watch.close();
  assert.deepEqual(events, [
    ["ADDED", ["a", "1"]],
    ["MODIFIED", ["a", "2"]],
    ["MODIFIED", ["a", "3"]],
    ["DELETED", ["a", "3"]],
  ]);
});

test("server-side apply works in the version that is not stored", async () => {
  await using setup = await setUp();
  const { api } = setup;
  const apply = (port: string) =>
    api.send("PATCH", `${at("v2")}/a?fieldManager=me`, {
      body: {
        apiVersion: "example.com/v2",
        kind: "Host",
        metadata: { name: "a" },
        host: "h",
        port,
      },
      headers: { "content-type": "application/apply-patch+yaml" },
    });
  const [first, second] = [await apply("1"), await apply("2")];
  assert.deepEqual([first.status, second.status, content(second.body)], [201, 200, ["h", "2"]]);
  assert.equal((await api.send("GET", `${at("v1")}/a`)).body.hostPort, "h:2");
});

const failures: readonly [what: string, convert: Convert, more: JsonObject, why: string][] = [
  [
    "says why it cannot",
    split,
    { result: { status: "Failed", message: "no idea" } },
    "failed: no idea",
  ],
  ["says nothing", split, { result: {} }, "failed: response.result.status was '', not 'Success'"],
  ["loses an object", split, { convertedObjects: [] }, "returned 0 objects, expected 1"],
  [
    "answers another version",
    (object) => object,
    {},
    "returned invalid object: invalid groupVersion (expected example.com/v2, received example.com/v1)",
  ],
  [
    "renames the object",
    (object, desired) => ({ ...split(object, desired), metadata: { name: "other" } }),
    {},
    "returned invalid object: must have the same name: a != other",
  ],
];

for (const [what, convert, more, why] of failures) {
  test(`a webhook that ${what} fails the request with upstream's text`, async () => {
    await using setup = await setUp(convert, more);
    await setup.api.send("POST", at("v1"), { body: { metadata: { name: "a" }, hostPort: "a:1" } });
    const { status, body } = await setup.api.send("GET", `${at("v2")}/a`);
    const message = `Internal error occurred: conversion webhook for example.com/v1, Kind=Host ${why}`;
    assert.deepEqual([status, body.message], [500, message]);
    assert.equal((await setup.api.send("GET", `${at("v1")}/a`)).status, 200);
  });
}

test("a webhook may change labels and annotations, other metadata stays", async () => {
  const convert: Convert = (object, desired) => {
    const { resourceVersion: _, ...metadata } = objectAt(object, "metadata");
    const changed = { ...metadata, labels: { added: "yes" }, generation: 99, finalizers: ["x/y"] };
    return { ...split(object, desired), metadata: changed };
  };
  await using setup = await setUp(convert);
  await setup.api.send("POST", at("v1"), { body: { metadata: { name: "a" }, hostPort: "a:1" } });
  const { body } = await setup.api.send("GET", `${at("v2")}/a`);
  const { labels, generation, finalizers } = objectAt(body, "metadata");
  assert.deepEqual([labels, generation, finalizers], [{ added: "yes" }, 1, undefined]);
});
