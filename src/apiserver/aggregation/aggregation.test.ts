import assert from "node:assert/strict";
import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import type { JsonObject } from "#api/kind.ts";
import type { Resource } from "#api/resource.ts";
import type { KubeObject } from "#api/meta.ts";
import { createCluster, type TestCluster } from "#main/testing.ts";
import { isUserHeader, remoteUserHeaders } from "#apiserver/aggregation/remote-user.ts";
import { objectAt, objectsAt, stringAt } from "#apiserver/objects/json.ts";
import { createTestServer } from "#test/api-server.ts";
import { accessOf, openConnection, send, tlsOf, type Access } from "#test/raw-client.ts";
import {
  startWebhookServer,
  type Asked,
  type Said,
  type WebhookServer,
} from "#test/webhook-server.ts";

const apiServices = "/apis/apiregistration.k8s.io/v1/apiservices";
const group = "/apis/wardle.example.com/v1alpha1";
const flunders = `${group}/namespaces/default/flunders`;

interface Setup extends AsyncDisposable {
  readonly cluster: TestCluster;
  readonly extension: WebhookServer;
  readonly access: Access;
}

/** A cluster and a server that extends it, which believes the front proxy alone. */
async function setUp(answer: (asked: Asked) => Said = served): Promise<Setup> {
  const stack = new AsyncDisposableStack();
  const cluster = stack.use(await createCluster({ nodes: 0 }));
  const access = accessOf(cluster.kubeconfig);
  const map = await send(access, {
    path: "/api/v1/namespaces/kube-system/configmaps/extension-apiserver-authentication",
  });
  const clientAuthority = stringAt(
    objectAt(map.object as JsonObject, "data"),
    "requestheader-client-ca-file",
  );
  const extension = stack.use(
    await startWebhookServer(
      (asked) => (asked.client === "front-proxy-client" ? answer(asked) : unknown),
      { dnsNames: ["ext.default.svc"], clientAuthority },
    ),
  );
  return { cluster, extension, access, [Symbol.asyncDispose]: () => stack.disposeAsync() };
}

const unknown: Said = { status: 401, body: { kind: "Status", code: 401 } };

function served({ path, method, body }: Asked): Said {
  if (path === group) return { body: discovery };
  if (path.startsWith("/openapi/v3")) return { body: { openapi: "3.0.0", paths: { [group]: {} } } };
  if (path.includes("watch=")) return { body: watched() };
  const [, name] = /\/flunders\/([^/?]+)$/.exec(path) ?? [];
  const flunder = { kind: "Flunder", apiVersion: "wardle.example.com/v1alpha1" };
  if (method === "POST") return { status: 201, body: { ...body, ...flunder } };
  if (name === undefined) {
    return { body: { ...flunder, kind: "FlunderList", metadata: {}, items: [] } };
  }
  return { body: { ...flunder, metadata: { name, namespace: "default" } } };
}

const discovery = {
  kind: "APIResourceList",
  apiVersion: "v1",
  groupVersion: "wardle.example.com/v1alpha1",
  resources: [
    {
      name: "flunders",
      singularName: "flunder",
      namespaced: true,
      kind: "Flunder",
      verbs: ["get", "list", "watch", "create"],
    },
  ],
};

async function* watched(): AsyncGenerator<string> {
  for (const name of ["a", "b"]) {
    const object = { kind: "Flunder", metadata: { name } };
    yield `${JSON.stringify({ type: "ADDED", object })}\n`;
    await Promise.resolve();
  }
}

async function register({ access, extension }: Setup): Promise<void> {
  const post = (path: string, body: JsonObject) =>
    send(access, { method: "POST", path, body: JSON.stringify(body), headers: json });
  await post("/api/v1/namespaces/default/services", {
    metadata: { name: "ext" },
    spec: { type: "ExternalName", externalName: "localhost" },
  });
  const created = await post(apiServices, {
    metadata: { name: "v1alpha1.wardle.example.com" },
    spec: {
      group: "wardle.example.com",
      version: "v1alpha1",
      groupPriorityMinimum: 2000,
      versionPriority: 200,
      caBundle: extension.caBundle,
      service: { namespace: "default", name: "ext", port: extension.port },
    },
  });
  assert.equal(created.status, 201, created.text);
}

const json = { "content-type": "application/json" };

async function condition(
  { access }: Setup,
  wanted: (reason: string) => boolean,
): Promise<JsonObject> {
  for (;;) {
    const path = `${apiServices}/v1alpha1.wardle.example.com`;
    const { object } = await send(access, { path });
    const [found] = objectsAt(objectAt(object as JsonObject, "status"), "conditions");
    if (found !== undefined && wanted(stringAt(found, "reason"))) return found;
  }
}

/** Of an answer that is a stream of objects. */
async function textOf(access: Access, path: string): Promise<string> {
  const outgoing = request({ ...tlsOf(access), path, agent: false }).end();
  const [answer] = (await once(outgoing, "response")) as [IncomingMessage];
  return (await buffer(answer)).toString();
}

test("requests, watches and discovery reach a server that extends the API, in the user's name", async () => {
  await using setup = await setUp();
  const { access, extension, cluster } = setup;
  await register(setup);
  const available = await condition(setup, (reason) => reason === "Passed");
  assert.deepEqual([available.status, available.message], ["True", "all checks passed"]);

  const forged = {
    "x-remote-user": "evil",
    "x-remote-group": "system:masters",
    "x-remote-extra-a": "b",
  };
  const got = await send(access, { path: `${flunders}/x`, headers: forged });
  assert.deepEqual([got.status, got.object["kind"]], [200, "Flunder"]);
  const asked = extension.asked.at(-1);
  assert.deepEqual(
    [
      asked?.path,
      asked?.client,
      asked?.headers["x-remote-user"],
      asked?.headers["x-remote-extra-a"],
    ],
    [`${flunders}/x`, "front-proxy-client", "kubernetes-admin", undefined],
  );
  assert.equal(asked?.headers["x-remote-group"], "system:masters, system:authenticated");
  assert.match(
    stringAt({ from: asked?.headers["x-forwarded-for"] ?? "" }, "from"),
    /127\.0\.0\.1$/,
  );

  const created = await send(access, {
    method: "POST",
    path: flunders,
    body: JSON.stringify({ metadata: { name: "y" } }),
    headers: json,
  });
  assert.deepEqual([created.status, created.object["metadata"]], [201, { name: "y" }]);

  const watch = await textOf(access, `${flunders}?watch=true`);
  assert.deepEqual(
    watch
      .trim()
      .split("\n")
      .map((line) => (JSON.parse(line) as { type: string }).type),
    ["ADDED", "ADDED"],
  );

  const groups = await send(access, { path: "/apis/wardle.example.com" });
  assert.deepEqual(objectAt(groups.object as JsonObject, "preferredVersion").version, "v1alpha1");
  const whole = await send(access, {
    path: "/apis",
    headers: { accept: "application/json;g=apidiscovery.k8s.io;v=v2;as=APIGroupDiscoveryList" },
  });
  const found = objectsAt(whole.object as JsonObject, "items").find(
    ({ metadata }) => (metadata as JsonObject).name === "wardle.example.com",
  );
  const [version] = objectsAt(found, "versions");
  assert.deepEqual(
    [version?.freshness, objectsAt(version, "resources").map(({ resource }) => resource)],
    ["Current", ["flunders"]],
  );
  const index = await send(access, { path: "/openapi/v3" });
  assert.ok("apis/wardle.example.com/v1alpha1" in objectAt(index.object as JsonObject, "paths"));

  const resource: Resource<KubeObject> = {
    group: "wardle.example.com",
    version: "v1alpha1",
    kind: "Flunder",
    resource: "flunders",
    namespaced: true,
  };
  const read = await cluster.client.get(resource, { namespace: "default", name: "z" });
  const names: unknown[] = [];
  const events = await cluster.client.watch(resource, {
    namespace: "default",
    signal: AbortSignal.timeout(10_000),
  });
  for await (const event of events) {
    if (event.type === "ADDED") names.push(event.object.metadata.name);
  }
  assert.deepEqual([read.metadata.name, names], ["z", ["a", "b"]]);
});

test("connections are upgraded through to a server that extends the API", async () => {
  await using setup = await setUp();
  const { access } = setup;
  await register(setup);
  await condition(setup, (reason) => reason === "Passed");
  const socket = await openConnection(access);
  const lines = [
    `GET ${flunders}/x/stream HTTP/1.1`,
    "host: localhost",
    "connection: Upgrade",
    "upgrade: echo",
    "x-remote-user: evil",
  ];
  socket.write(`${lines.join("\r\n")}\r\n\r\n`);
  let text = "";
  socket.on("data", (chunk: Buffer) => {
    if (text === "") socket.write("hello");
    text += chunk.toString();
    if (text.endsWith("hello")) socket.destroy();
  });
  await once(socket, "close");
  assert.match(text, /^HTTP\/1\.1 101 [^]*x-seen: kubernetes-admin\r\n\r\nhello$/);
});

test("a server that fails discovery is unavailable, and said to be so", async () => {
  await using setup = await setUp(() => ({ status: 500, body: "boom" }));
  const { access } = setup;
  await register(setup);
  const failed = await condition(setup, (reason) => reason !== "");
  assert.deepEqual([failed.status, failed.reason], ["False", "FailedDiscoveryCheck"]);
  assert.match(
    stringAt(failed, "message"),
    /^failing or missing response from https:\/\/ext\.default\.svc:\d+\/apis\/wardle\.example\.com\/v1alpha1: an error on the server \("boom"\)/,
  );
  const refused = await send(access, { path: flunders });
  assert.deepEqual([refused.status, refused.text], [503, "service unavailable\n"]);
  const groups = await send(access, { path: "/apis/wardle.example.com" });
  assert.equal(groups.status, 200, "the group is listed all the same");
});

test("what the server serves itself is listed as local API services; those of definitions come and go", async () => {
  await using api = await createTestServer();
  const read = async (name: string) => {
    await setImmediate();
    return (await api.send("GET", `${apiServices}/${name}`)).body;
  };
  let core = await read("v1.");
  while (core.code === 404) core = await read("v1.");
  const { labels } = objectAt(core, "metadata");
  const [local] = objectsAt(objectAt(core, "status"), "conditions");
  assert.deepEqual(
    [core.spec, labels, local?.status, local?.reason, local?.message],
    [
      { version: "v1", groupPriorityMinimum: 18_000, versionPriority: 1 },
      { "kube-aggregator.kubernetes.io/automanaged": "onstart" },
      "True",
      "Local",
      "Local APIServices are always available",
    ],
  );
  const definitions = "/apis/apiextensions.k8s.io/v1/customresourcedefinitions";
  const version = { name: "v1", served: true, storage: true };
  await api.send("POST", definitions, {
    body: {
      metadata: { name: "hosts.example.com" },
      spec: {
        group: "example.com",
        scope: "Cluster",
        names: { plural: "hosts", kind: "Host" },
        versions: [{ ...version, schema: { openAPIV3Schema: { type: "object" } } }],
      },
    },
  });
  let custom = await read("v1.example.com");
  while (custom.code === 404) custom = await read("v1.example.com");
  assert.equal(objectAt(custom, "spec").groupPriorityMinimum, 1_000);
  await api.send("DELETE", `${definitions}/hosts.example.com`);
  while ((await read("v1.example.com")).code !== 404) await setImmediate();
});

test("remoteUserHeaders() names the user as extension servers read it", () => {
  const user = {
    name: "jane",
    uid: "7",
    groups: ["a", "b"],
    extra: { "example.com/Scope%": ["x", "y"] },
  };
  assert.deepEqual(remoteUserHeaders(user), {
    "x-remote-user": "jane",
    "x-remote-uid": "7",
    "x-remote-group": ["a", "b"],
    "x-remote-extra-example.com%2Fscope%25": ["x", "y"],
  });
  assert.deepEqual(["x-remote-user", "impersonate-user", "accept"].map(isUserHeader), [
    true,
    true,
    false,
  ]);
});
