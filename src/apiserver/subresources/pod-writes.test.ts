import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { createTestServer, type TestServer } from "#test/api-server.ts";

const inDefault = "/api/v1/namespaces/default";
const pod = `${inDefault}/pods/p`;

async function createPod(api: TestServer, metadata: JsonObject = {}): Promise<void> {
  await api.send("POST", `${inDefault}/serviceaccounts`, {
    body: { metadata: { name: "default" } },
  });
  const spec = { containers: [{ name: "c", image: "i" }] };
  const body = { metadata: { name: "p", ...metadata }, spec };
  assert.equal((await api.send("POST", `${inDefault}/pods`, { body })).status, 201);
}

async function read(api: TestServer, path: string): Promise<JsonObject> {
  return (await api.send("GET", path)).body;
}

test("a binding brings its labels and annotations and takes a nomination back", async () => {
  await using api = await createTestServer();
  await createPod(api, { labels: { a: "1" } });
  const headers = { "content-type": "application/merge-patch+json" };
  const nominated = { status: { nominatedNodeName: "n2" } };
  await api.send("PATCH", `${pod}/status`, { body: nominated, headers });
  const metadata = { name: "p", labels: { b: "2" }, annotations: { c: "3" } };
  const target = { kind: "Node", name: "n1" };
  await api.send("POST", `${pod}/binding`, { body: { metadata, target } });
  const bound = await read(api, pod);
  const { labels, annotations } = bound.metadata as JsonObject;
  assert.deepEqual([labels, annotations], [{ a: "1", b: "2" }, { c: "3" }]);
  assert.equal((bound.status as JsonObject).nominatedNodeName, undefined);
});

const bindings: readonly [what: string, body: JsonObject, status: number, message: RegExp][] = [
  [
    "without a name",
    { target: { name: "n1" } },
    400,
    /^name in URL does not match name in Binding object$/,
  ],
  [
    "to something else than a node",
    { metadata: { name: "p" }, target: { kind: "Pod" } },
    500,
    /^\[target.kind: Unsupported value: "Pod": supported values: "Node", "<empty>", target.name: Required value\]$/,
  ],
  [
    "of another pod of that name",
    { metadata: { name: "p", uid: "u" }, target: { name: "n1" } },
    409,
    /^Operation cannot be fulfilled on pods "p": StorageError: invalid object, Code: 4, Key: \S+, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: u, UID in object meta: /,
  ],
];

for (const [what, body, status, message] of bindings) {
  test(`a binding ${what} is refused in upstream's words`, async () => {
    await using api = await createTestServer();
    await createPod(api);
    const refused = await api.send("POST", `${pod}/binding`, { body });
    assert.equal(refused.status, status);
    assert.match(String(refused.body.message as string), message);
  });
}

function evict(api: TestServer, body: JsonObject = { metadata: { name: "p" } }) {
  return api.send("POST", `${pod}/eviction`, { body });
}

test("an evicted pod says why it goes", async () => {
  await using api = await createTestServer();
  await createPod(api, { finalizers: ["example.com/hold"] });
  assert.equal((await evict(api)).status, 201);
  const { status, metadata } = await read(api, pod);
  assert.notEqual((metadata as JsonObject).deletionTimestamp, undefined);
  assert.deepEqual((status as JsonObject).conditions, [
    {
      type: "DisruptionTarget",
      status: "True",
      reason: "EvictionByEvictionAPI",
      message: "Eviction API: evicting",
      lastTransitionTime: "2026-01-01T00:00:00Z",
    },
  ]);
});

test("an eviction of another version or name than meant leaves the pod as it is", async () => {
  await using api = await createTestServer();
  await createPod(api);
  const before = await read(api, pod);
  const preconditions = { resourceVersion: "1" };
  const stale = await evict(api, { metadata: { name: "p" }, deleteOptions: { preconditions } });
  assert.deepEqual(
    [stale.status, (await evict(api, {})).body.message],
    [409, "name in URL does not match name in Eviction object"],
  );
  assert.deepEqual(await read(api, pod), before);
});

test("two budgets for one pod are told as a failure", async () => {
  await using api = await createTestServer();
  await createPod(api);
  const headers = { "content-type": "application/merge-patch+json" };
  await api.send("PATCH", `${pod}/status`, { body: { status: { phase: "Running" } }, headers });
  for (const name of ["a", "b"]) {
    const body = { metadata: { name }, spec: { selector: {} } };
    await api.send("POST", "/apis/policy/v1/namespaces/default/poddisruptionbudgets", { body });
  }
  const { status, message, code } = (await evict(api)).body;
  assert.deepEqual(
    [status, message, code],
    [
      "Failure",
      "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
      500,
    ],
  );
});

const tokenRefusals: readonly [what: string, body: JsonObject, message: RegExp][] = [
  [
    "for another account",
    { metadata: { name: "x" } },
    /^TokenRequest.authentication.k8s.io "default" is invalid: metadata.name: Invalid value: "x": must match the service account name if specified$/,
  ],
  [
    "for another account of that name",
    { metadata: { uid: "u" } },
    /^Operation cannot be fulfilled on TokenRequest.authentication.k8s.io "default": the UID in the token request \(u\) does not match the UID of the service account \(/,
  ],
  [
    "that is too short",
    { spec: { expirationSeconds: 1 } },
    /^TokenRequest.authentication.k8s.io "" is invalid: spec.expirationSeconds: Invalid value: 1: may not specify a duration less than 10 minutes$/,
  ],
  [
    "bound to something else",
    { spec: { boundObjectRef: { kind: "Service", apiVersion: "v1", name: "s" } } },
    /^cannot bind token to object of type \/v1, Kind=Service$/,
  ],
  [
    "bound to another pod of that name",
    { spec: { boundObjectRef: { kind: "Pod", apiVersion: "v1", name: "p", uid: "u" } } },
    /^Operation cannot be fulfilled on Pod "p": the UID in the bound object reference \(u\)/,
  ],
];

for (const [what, body, message] of tokenRefusals) {
  test(`a token ${what} is refused in upstream's words`, async () => {
    const issue = () => Promise.reject(new Error("no token is to be issued"));
    await using api = await createTestServer({ tokens: { issue } });
    await createPod(api);
    const refused = await api.send("POST", `${inDefault}/serviceaccounts/default/token`, { body });
    assert.match(String(refused.body.message as string), message);
  });
}
