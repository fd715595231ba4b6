import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { createTestServer, type SendOptions, type TestServer } from "#test/api-server.ts";

const configMaps = "/api/v1/namespaces/default/configmaps";

function configMap(name: string, data: Record<string, string> = {}, metadata: JsonObject = {}) {
  return { apiVersion: "v1", kind: "ConfigMap", metadata: { name, ...metadata }, data };
}

test("create answers the whole object with its identity, its managers and its version", async () => {
  await using api = await createTestServer();
  const { status, body } = await api.send("POST", configMaps, { body: configMap("a", { x: "1" }) });
  const { uid, resourceVersion, ...metadata } = body.metadata as JsonObject;
  assert.match(String(uid as string), /^[0-9a-f-]{36}$/);
  assert.match(String(resourceVersion as string), /^\d+$/);
  assert.deepEqual(
    [status, { ...body, metadata }],
    [
      201,
      {
        kind: "ConfigMap",
        apiVersion: "v1",
        metadata: {
          name: "a",
          namespace: "default",
          creationTimestamp: "2026-01-01T00:00:00Z",
          managedFields: [
            {
              manager: "tester",
              operation: "Update",
              apiVersion: "v1",
              time: "2026-01-01T00:00:00Z",
              fieldsType: "FieldsV1",
              fieldsV1: { "f:data": { ".": {}, "f:x": {} } },
            },
          ],
        },
        data: { x: "1" },
      },
    ],
  );
  assert.deepEqual((await api.send("GET", `${configMaps}/a`)).body, body);
});

interface Refused {
  readonly name: string;
  readonly request: readonly [method: string, path: string, options?: SendOptions];
  readonly status: number;
  readonly reason: string;
  readonly message: string | RegExp;
}

const json = { "content-type": "application/json" };
const refusals: readonly Refused[] = [
  {
    name: "an object that exists",
    request: ["POST", configMaps, { body: configMap("here") }],
    status: 409,
    reason: "AlreadyExists",
    message: 'configmaps "here" already exists',
  },
  {
    name: "an object that is not there",
    request: ["GET", `${configMaps}/none`],
    status: 404,
    reason: "NotFound",
    message: 'configmaps "none" not found',
  },
  {
    name: "a namespace that is not there",
    request: ["POST", "/api/v1/namespaces/none/configmaps", { body: configMap("a") }],
    status: 404,
    reason: "NotFound",
    message: 'namespaces "none" not found',
  },
  {
    name: "an unknown resource",
    request: ["GET", "/api/v1/namespaces/default/widgets"],
    status: 404,
    reason: "NotFound",
    message: "the server could not find the requested resource",
  },
  {
    name: "another kind",
    request: ["POST", configMaps, { body: { ...configMap("a"), kind: "Secret" } }],
    status: 400,
    reason: "BadRequest",
    message: 'Secret in version "v1" cannot be handled as a ConfigMap',
  },
  {
    name: "another namespace in the object",
    request: ["POST", configMaps, { body: configMap("a", {}, { namespace: "kube-system" }) }],
    status: 400,
    reason: "BadRequest",
    message:
      "the namespace of the provided object does not match the namespace sent on the request",
  },
  {
    name: "another name in the object",
    request: ["PUT", `${configMaps}/here`, { body: configMap("there") }],
    status: 400,
    reason: "BadRequest",
    message: "the name of the object (there) does not match the name on the URL (here)",
  },
  {
    name: "an old version",
    request: [
      "PUT",
      `${configMaps}/here`,
      { body: configMap("here", {}, { resourceVersion: "1" }) },
    ],
    status: 409,
    reason: "Conflict",
    message:
      'Operation cannot be fulfilled on configmaps "here": the object has been modified; please apply your changes to the latest version and try again',
  },
  {
    name: "a name that leaves its directory",
    request: ["GET", `${configMaps}/..%2Fsecrets`],
    status: 400,
    reason: "BadRequest",
    message: `Name parameter invalid: "../secrets": may not contain '/'`,
  },
  {
    name: "a body that is no JSON",
    request: ["POST", configMaps, { text: "{", headers: json }],
    status: 400,
    reason: "BadRequest",
    message: /unexpected end of JSON input/,
  },
  {
    name: "a body that is too long",
    request: ["POST", configMaps, { text: "x".repeat(4_000_000), headers: json }],
    status: 413,
    reason: "RequestEntityTooLarge",
    message: "Request entity too large: limit is 3145728",
  },
  {
    name: "an unknown media type",
    request: ["POST", configMaps, { text: "x", headers: { "content-type": "text/csv" } }],
    status: 415,
    reason: "UnsupportedMediaType",
    message:
      "the body of the request was in an unknown format - accepted media types include: application/json, application/yaml, application/vnd.kubernetes.protobuf",
  },
  {
    name: "an unacceptable answer",
    request: ["GET", `${configMaps}/here`, { headers: { accept: "application/cbor" } }],
    status: 406,
    reason: "NotAcceptable",
    message:
      "only the following media types are accepted: application/json, application/yaml, application/vnd.kubernetes.protobuf",
  },
  {
    name: "an unknown field under strict validation",
    request: [
      "POST",
      `${configMaps}?fieldValidation=Strict`,
      { body: { ...configMap("a"), dta: {} } },
    ],
    status: 400,
    reason: "BadRequest",
    message: /strict decoding error: unknown field "dta"/,
  },
  {
    name: "a verb that the resource has not",
    request: ["POST", `${configMaps}/here`, { body: configMap("here") }],
    status: 405,
    reason: "MethodNotAllowed",
    message: "the server does not allow this method on the requested resource",
  },
  {
    name: "a precondition that does not hold",
    request: ["DELETE", `${configMaps}/here`, { body: { preconditions: { uid: "u" } } }],
    status: 409,
    reason: "Conflict",
    message: /the UID in the precondition \(u\) does not match the UID in record/,
  },
  {
    name: "a first namespace",
    request: ["DELETE", "/api/v1/namespaces/kube-system"],
    status: 403,
    reason: "Forbidden",
    message: 'namespaces "kube-system" is forbidden: this namespace may not be deleted',
  },
  {
    name: "an apply without a manager",
    request: [
      "PATCH",
      `${configMaps}/here`,
      { text: "{}", headers: { "content-type": "application/apply-patch+yaml" } },
    ],
    status: 422,
    reason: "Invalid",
    message:
      'PatchOptions.meta.k8s.io "" is invalid: fieldManager: Required value: is required for apply patch',
  },
  {
    name: "somebody unknown",
    request: [
      "GET",
      configMaps,
      { user: { name: "system:anonymous", groups: ["system:unauthenticated"] } },
    ],
    status: 403,
    reason: "Forbidden",
    message:
      'configmaps is forbidden: User "system:anonymous" cannot list resource "configmaps" in API group "" in the namespace "default"',
  },
];

for (const { name, request, status, reason, message } of refusals) {
  test(`the server refuses ${name}`, async () => {
    await using api = await createTestServer();
    await api.send("POST", configMaps, { body: configMap("here") });
    const { status: given, body } = await api.send(...request);
    assert.deepEqual([given, body.kind, body.reason], [status, "Status", reason]);
    if (typeof message === "string") assert.equal(body.message, message);
    else assert.match(String(body.message as string), message);
  });
}

test("an update that changes nothing is not written", async () => {
  await using api = await createTestServer();
  const { body } = await api.send("POST", configMaps, { body: configMap("a", { x: "1" }) });
  api.clock.advance(5_000);
  const again = await api.send("PUT", `${configMaps}/a`, { body: configMap("a", { x: "1" }) });
  assert.deepEqual(again.body, body);
});

test("a dry run answers what would be and leaves everything as it is", async () => {
  await using api = await createTestServer();
  const before = await api.store.revision();
  const made = await api.send("POST", `${configMaps}?dryRun=All`, { body: configMap("a") });
  assert.equal(made.status, 201);
  assert.equal((await api.send("GET", `${configMaps}/a`)).status, 404);
  await api.send("DELETE", "/api/v1/namespaces/kube-node-lease?dryRun=All");
  assert.equal(await api.store.revision(), before);
});

const patches = [
  ["application/json-patch+json", [{ op: "add", path: "/data/y", value: "2" }]],
  ["application/merge-patch+json", { data: { y: "2" } }],
  ["application/strategic-merge-patch+json", { data: { y: "2" } }],
  [
    "application/apply-patch+yaml",
    { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "a" }, data: { y: "2" } },
  ],
] as const;

for (const [type, patch] of patches) {
  test(`a patch of type ${type} adds what it says`, async () => {
    await using api = await createTestServer();
    await api.send("POST", configMaps, { body: configMap("a", { x: "1" }) });
    const { status, body } = await api.send("PATCH", `${configMaps}/a?fieldManager=me`, {
      body: patch,
      headers: { "content-type": type },
    });
    assert.deepEqual([status, body.data], [200, { x: "1", y: "2" }]);
  });
}

test("many writers of one object lose nothing", async () => {
  await using api = await createTestServer();
  await api.send("POST", configMaps, { body: configMap("a") });
  const keys = Array.from({ length: 30 }, (_, index) => `k${index}`);
  const answers = await Promise.all(
    keys.map((key) =>
      api.send("PATCH", `${configMaps}/a`, {
        body: { data: { [key]: "" } },
        headers: { "content-type": "application/merge-patch+json" },
      }),
    ),
  );
  assert.deepEqual(new Set(answers.map(({ status }) => status)), new Set([200]));
  const { body } = await api.send("GET", `${configMaps}/a`);
  assert.deepEqual(Object.keys(body.data as JsonObject).toSorted(), keys.toSorted());
});

test("generateName finds another name where one is taken", async () => {
  await using api = await createTestServer();
  const body = { metadata: { generateName: "a-" } };
  const answers = await Promise.all(
    Array.from({ length: 50 }, () => api.send("POST", configMaps, { body })),
  );
  const names = answers.map((answer) => (answer.body.metadata as JsonObject).name as string);
  assert.equal(new Set(names).size, 50);
  assert.ok(names.every((name) => /^a-[a-z0-9]{5}$/.test(name)));
});

test("a finalizer keeps an object until it is taken away", async () => {
  await using api = await createTestServer();
  const made = configMap("a", {}, { finalizers: ["example.com/hold"] });
  await api.send("POST", configMaps, { body: made });
  const marked = await api.send("DELETE", `${configMaps}/a`);
  const metadata = marked.body.metadata as JsonObject;
  assert.equal(metadata.deletionTimestamp, "2026-01-01T00:00:00Z");
  const headers = { "content-type": "application/merge-patch+json" };
  await api.send("PATCH", `${configMaps}/a`, { body: { metadata: { finalizers: null } }, headers });
  assert.equal((await api.send("GET", `${configMaps}/a`)).status, 404);
});

test("propagationPolicy becomes a finalizer for the garbage collector", async () => {
  await using api = await createTestServer();
  await api.send("POST", configMaps, { body: configMap("a") });
  const { body } = await api.send("DELETE", `${configMaps}/a?propagationPolicy=Foreground`);
  assert.deepEqual((body.metadata as JsonObject).finalizers, ["foregroundDeletion"]);
});

async function createPod(api: TestServer, nodeName?: string): Promise<void> {
  const accounts = "/api/v1/namespaces/default/serviceaccounts";
  await api.send("POST", accounts, { body: { metadata: { name: "default" } } });
  const spec = { ...(nodeName && { nodeName }), containers: [{ name: "c", image: "i" }] };
  const { status, text } = await api.send("POST", "/api/v1/namespaces/default/pods", {
    body: { metadata: { name: "p" }, spec },
  });
  assert.equal(status, 201, text);
}

test("a pod gets its account, its token volume, its tolerations and its priority", async () => {
  await using api = await createTestServer();
  await createPod(api);
  const { body } = await api.send("GET", "/api/v1/namespaces/default/pods/p");
  const spec = body.spec as JsonObject;
  const [volume] = spec.volumes as JsonObject[];
  const [container] = spec.containers as JsonObject[];
  const name = volume?.name as string;
  assert.match(name, /^kube-api-access-[a-z0-9]{5}$/);
  assert.deepEqual(container?.volumeMounts, [
    { name, readOnly: true, mountPath: "/var/run/secrets/kubernetes.io/serviceaccount" },
  ]);
  const { serviceAccountName, priority, preemptionPolicy, tolerations } = spec;
  assert.deepEqual(
    [serviceAccountName, priority, preemptionPolicy],
    ["default", 0, "PreemptLowerPriority"],
  );
  assert.deepEqual(
    tolerations,
    ["not-ready", "unreachable"].map((key) => ({
      key: `node.kubernetes.io/${key}`,
      operator: "Exists",
      effect: "NoExecute",
      tolerationSeconds: 300,
    })),
  );
});

test("a running pod waits out its grace period; a second DELETE may end it at once", async () => {
  await using api = await createTestServer();
  await createPod(api, "n1");
  const path = "/api/v1/namespaces/default/pods/p";
  const { body } = await api.send("DELETE", path);
  const { deletionTimestamp, deletionGracePeriodSeconds } = body.metadata as JsonObject;
  assert.deepEqual([deletionTimestamp, deletionGracePeriodSeconds], ["2026-01-01T00:00:30Z", 30]);
  assert.equal((await api.send("DELETE", path)).status, 200);
  await api.send("DELETE", path, { body: { gracePeriodSeconds: 0 } });
  assert.equal((await api.send("GET", path)).status, 404);
});

test("a DELETE may ask for more time than the pod does, not of a pod that nobody has to stop", async () => {
  await using api = await createTestServer();
  const pods = "/api/v1/namespaces/default/pods";
  await createPod(api);
  const containers = [{ name: "c", image: "i" }];
  const spec = { terminationGracePeriodSeconds: 0, nodeName: "n1", containers };
  await api.send("POST", pods, { body: { metadata: { name: "q" }, spec } });
  await api.send("DELETE", `${pods}/q?gracePeriodSeconds=60`);
  const { metadata } = (await api.send("GET", `${pods}/q`)).body as { metadata: JsonObject };
  assert.deepEqual([metadata.deletionGracePeriodSeconds, metadata.generation], [60, 2]);
  await api.send("DELETE", `${pods}/p?gracePeriodSeconds=60`);
  assert.equal((await api.send("GET", `${pods}/p`)).status, 404);
});

test("a pod is bound once", async () => {
  await using api = await createTestServer();
  await createPod(api);
  const path = "/api/v1/namespaces/default/pods/p/binding";
  const body = { metadata: { name: "p" }, target: { kind: "Node", name: "n1" } };
  assert.equal((await api.send("POST", path, { body })).status, 201);
  const second = await api.send("POST", path, { body });
  assert.deepEqual(
    [second.status, second.body.message],
    [
      409,
      'Operation cannot be fulfilled on pods/binding "p": pod p is already assigned to node "n1"',
    ],
  );
});

test("an eviction spends the disruption budget and is refused when there is none", async () => {
  await using api = await createTestServer();
  await createPod(api, "n1");
  const merge = { "content-type": "application/merge-patch+json" };
  const pod = "/api/v1/namespaces/default/pods/p";
  const running = { phase: "Running", conditions: [{ type: "Ready", status: "True" }] };
  await api.send("PATCH", `${pod}/status`, { body: { status: running }, headers: merge });
  const budgets = "/apis/policy/v1/namespaces/default/poddisruptionbudgets";
  await api.send("POST", budgets, {
    body: { metadata: { name: "b" }, spec: { minAvailable: 1, selector: {} } },
  });
  const counted = {
    observedGeneration: 1,
    disruptionsAllowed: 0,
    currentHealthy: 1,
    desiredHealthy: 1,
    expectedPods: 1,
  };
  await api.send("PATCH", `${budgets}/b/status`, { body: { status: counted }, headers: merge });
  const eviction = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name: "p" } };
  const refused = await api.send("POST", `${pod}/eviction`, { body: eviction });
  assert.deepEqual(
    [refused.status, refused.body.message, (refused.body.details as JsonObject).causes],
    [
      429,
      "Cannot evict pod as it would violate the pod's disruption budget.",
      [
        {
          reason: "DisruptionBudget",
          message: "The disruption budget b needs 1 healthy pods and has 1 currently",
        },
      ],
    ],
  );
  const spare = { status: { disruptionsAllowed: 1 } };
  await api.send("PATCH", `${budgets}/b/status`, { body: spare, headers: merge });
  assert.equal((await api.send("POST", `${pod}/eviction`, { body: eviction })).status, 201);
  const { body } = await api.send("GET", `${budgets}/b`);
  assert.equal((body.status as JsonObject).disruptionsAllowed, 0);
});

test("a namespace takes nothing in while it is emptied and goes with its last finalizer", async () => {
  await using api = await createTestServer();
  const path = "/api/v1/namespaces/x";
  await api.send("POST", "/api/v1/namespaces", { body: { metadata: { name: "x" } } });
  const { body } = await api.send("DELETE", path);
  assert.deepEqual(body.status, { phase: "Terminating" });
  const refused = await api.send("POST", `${path}/configmaps`, { body: configMap("a") });
  assert.equal(
    refused.body.message,
    'configmaps "a" is forbidden: unable to create new content in namespace x because it is being terminated',
  );
  const emptied = { ...body, spec: { finalizers: [] } };
  assert.equal((await api.send("PUT", `${path}/finalize`, { body: emptied })).status, 200);
  assert.equal((await api.send("GET", path)).status, 404);
});

test("events of both groups are the same objects", async () => {
  await using api = await createTestServer();
  const regarding = { kind: "Pod", name: "p", namespace: "default" };
  await api.send("POST", "/apis/events.k8s.io/v1/namespaces/default/events", {
    body: {
      metadata: { name: "e" },
      eventTime: "2026-01-01T00:00:00.000000Z",
      reportingController: "a/b",
      reportingInstance: "x",
      action: "A",
      reason: "R",
      type: "Normal",
      regarding,
    },
  });
  const { body } = await api.send("GET", "/api/v1/namespaces/default/events/e");
  assert.deepEqual([body.apiVersion, body.involvedObject], ["v1", regarding]);
});

test("an event goes an hour after it was last written", async () => {
  await using api = await createTestServer();
  const events = "/api/v1/namespaces/default/events";
  const involvedObject = { kind: "Pod", name: "p", namespace: "default" };
  for (const name of ["a", "b"]) {
    await api.send("POST", events, { body: { metadata: { name }, involvedObject } });
  }
  api.clock.advance(30 * 60_000);
  const headers = { "content-type": "application/merge-patch+json" };
  await api.send("PATCH", `${events}/b`, { body: { count: 2 }, headers });
  api.clock.advance(31 * 60_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal((await api.send("GET", `${events}/a`)).status, 404);
  assert.equal((await api.send("GET", `${events}/b`)).status, 200);
  api.clock.advance(30 * 60_000);
  await new Promise((resolve) => setImmediate(resolve));
  assert.equal((await api.send("GET", `${events}/b`)).status, 404);
});

test("a patch with an unknown field is a 422 under strict validation", async () => {
  await using api = await createTestServer();
  await api.send("POST", configMaps, { body: configMap("a") });
  const { status, body } = await api.send("PATCH", `${configMaps}/a?fieldValidation=Strict`, {
    body: { dta: {} },
    headers: { "content-type": "application/merge-patch+json" },
  });
  assert.deepEqual(
    [status, body.message],
    [422, ' "" is invalid: patch: Invalid value: "": strict decoding error: unknown field "dta"'],
  );
});

test("a key that is called like a part of JavaScript is kept as it is", async () => {
  await using api = await createTestServer();
  const text = '{"metadata":{"name":"a"},"data":{"__proto__":"x","constructor":"y"}}';
  await api.send("POST", configMaps, { text, headers: { "content-type": "application/json" } });
  await api.send("PATCH", `${configMaps}/a`, {
    body: { data: { toString: "z" } },
    headers: { "content-type": "application/merge-patch+json" },
  });
  const { body } = await api.send("GET", `${configMaps}/a`);
  assert.deepEqual(Object.entries(body.data as JsonObject), [
    ["__proto__", "x"],
    ["constructor", "y"],
    ["toString", "z"],
  ]);
});
