import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { createOutgoing } from "#apiserver/node/outgoing/outgoing.ts";
import { objectAt, stringAt } from "#apiserver/objects/json.ts";
import { createTestServer } from "#test/api-server.ts";
import { startWebhookServer } from "#test/webhook-server.ts";
import {
  configMap,
  maps,
  patch,
  register,
  registration,
  rule,
  setUp,
  type Setup,
} from "#test/webhook-setup.ts";

test("a webhook is told all there is to know about a write", async () => {
  await using setup = await setUp(() => ({}));
  const { api, hook } = setup;
  await register(setup, "Validating", [{}]);
  await api.send("POST", `${maps}?fieldManager=me&dryRun=All`, {
    body: configMap("x"),
    user: { name: "jane", uid: "7", groups: ["system:masters"], extra: { scopes: ["a"] } },
  });
  const [asked] = hook.asked;
  const request = objectAt(asked?.body, "request");
  const { uid, ...metadata } = objectAt(objectAt(request, "object"), "metadata");
  assert.match(stringAt({ uid: uid ?? null }, "uid"), /^[0-9a-f-]{36}$/);
  assert.deepEqual(
    [asked?.path, asked?.body.kind, asked?.body.apiVersion],
    ["/0?timeout=10s", "AdmissionReview", "admission.k8s.io/v1"],
  );
  assert.deepEqual(
    { ...request, uid: undefined, object: { ...objectAt(request, "object"), metadata } },
    {
      uid: undefined,
      kind: { group: "", version: "v1", kind: "ConfigMap" },
      resource: { group: "", version: "v1", resource: "configmaps" },
      requestKind: { group: "", version: "v1", kind: "ConfigMap" },
      requestResource: { group: "", version: "v1", resource: "configmaps" },
      name: "x",
      namespace: "default",
      operation: "CREATE",
      userInfo: {
        username: "jane",
        uid: "7",
        groups: ["system:masters"],
        extra: { scopes: ["a"] },
      },
      object: {
        kind: "ConfigMap",
        apiVersion: "v1",
        data: { a: "1" },
        metadata: {
          name: "x",
          namespace: "default",
          creationTimestamp: "2026-01-01T00:00:00Z",
          managedFields: metadata.managedFields,
        },
      },
      oldObject: null,
      dryRun: true,
      options: {
        kind: "CreateOptions",
        apiVersion: "meta.k8s.io/v1",
        dryRun: ["All"],
        fieldManager: "me",
      },
    },
  );
});

test("updates and deletions show the old object, connections their options", async () => {
  await using setup = await setUp(() => ({}));
  const { api, hook } = setup;
  const everything = {
    rules: [rule({ resources: ["*/*"], operations: ["UPDATE", "DELETE", "CONNECT"] })],
  };
  await register(setup, "Validating", [everything]);
  await api.send("POST", maps, { body: configMap("x") });
  await api.send("PUT", `${maps}/x`, { body: configMap("x", { data: { a: "2" } }) });
  await api.send("DELETE", `${maps}/x?gracePeriodSeconds=0`);
  await api.send("POST", "/api/v1/namespaces/default/serviceaccounts", {
    body: { metadata: { name: "default" } },
  });
  const spec = { containers: [{ name: "c", image: "i" }], nodeName: "n" };
  await api.send("POST", "/api/v1/namespaces/default/pods", {
    body: { metadata: { name: "p" }, spec },
  });
  await api.send("GET", "/api/v1/namespaces/default/pods/p/attach?stdin=true&container=c");
  const seen = hook.asked.map(({ body }) => {
    const request = objectAt(body, "request");
    const data = (field: string) => objectAt(request, field).data ?? null;
    const { operation, resource, subResource = "", options } = request;
    const optionsKind = (options as JsonObject | null)?.kind ?? null;
    return [
      operation,
      (resource as JsonObject).resource,
      subResource,
      data("object"),
      data("oldObject"),
      optionsKind,
    ];
  });
  assert.deepEqual(seen, [
    ["UPDATE", "configmaps", "", { a: "2" }, { a: "1" }, "UpdateOptions"],
    ["DELETE", "configmaps", "", null, { a: "2" }, "DeleteOptions"],
    ["CONNECT", "pods", "attach", null, null, null],
  ]);
  assert.deepEqual(objectAt(objectAt(hook.asked[2]?.body, "request"), "object"), {
    kind: "PodAttachOptions",
    apiVersion: "v1",
    stdin: true,
    container: "c",
  });
});

const refusals: readonly [what: string, said: JsonObject, code: number, message: string][] = [
  [
    "with a message",
    { status: { message: "no", code: 403, reason: "Forbidden" } },
    403,
    'admission webhook "hook-0.example.com" denied the request: no',
  ],
  [
    "with a reason",
    { status: { reason: "Because" } },
    400,
    'admission webhook "hook-0.example.com" denied the request: Because',
  ],
  [
    "without a word",
    {},
    400,
    'admission webhook "hook-0.example.com" denied the request without explanation',
  ],
];

for (const kind of ["Mutating", "Validating"] as const) {
  for (const [what, said, code, message] of refusals) {
    test(`a ${kind.toLowerCase()} webhook that refuses ${what} is told in upstream's words`, async () => {
      await using setup = await setUp(() => ({ allowed: false, ...said }));
      await register(setup, kind, [{}]);
      const { status, body } = await setup.api.send("POST", maps, { body: configMap("x") });
      assert.deepEqual([status, body.message], [code, message]);
      assert.equal((await setup.api.send("GET", `${maps}/x`)).status, 404);
    });
  }
}

const failures: readonly [what: string, hook: JsonObject, said: JsonObject, message: string][] = [
  [
    "cannot be reached",
    { clientConfig: { url: "https://127.0.0.1:1/x" } },
    {},
    'failed to call webhook: Post "https://127.0.0.1:1/x?timeout=10s": dial tcp 127.0.0.1:1: connect: connection refused',
  ],
  [
    "is a service that is not there",
    { clientConfig: { service: { namespace: "default", name: "none", path: "/check" } } },
    {},
    'failed to call webhook: Post "https://none.default.svc:443/check?timeout=10s": service "none" not found',
  ],
  [
    "answers another request",
    {},
    { uid: "other" },
    'received invalid webhook response: expected response.uid="UID", got "other"',
  ],
  [
    "patches where it may only refuse",
    {},
    patch({ op: "remove", path: "/data" }),
    "received invalid webhook response: validating webhook may not return response.patch",
  ],
];

for (const [what, hook, said, why] of failures) {
  test(`a webhook that ${what} fails the request, or is passed over`, async () => {
    await using setup = await setUp(() => said);
    await register(setup, "Validating", [hook]);
    const refused = await setup.api.send("POST", maps, { body: configMap("x") });
    const uid = stringAt(objectAt(setup.hook.asked[0]?.body, "request"), "uid");
    assert.deepEqual(
      [refused.status, refused.body.reason, refused.body.message],
      [
        500,
        "InternalError",
        `Internal error occurred: failed calling webhook "hook-0.example.com": ${why.replace("UID", uid)}`,
      ],
    );
    const path = `${registration}/validatingwebhookconfigurations/hooks`;
    const ignore = [{ op: "add", path: "/webhooks/0/failurePolicy", value: "Ignore" }];
    const headers = { "content-type": "application/json-patch+json" };
    await setup.api.send("PATCH", path, { body: ignore, headers });
    assert.equal((await setup.api.send("POST", maps, { body: configMap("x") })).status, 201);
  });
}

test("a certificate that the bundle does not vouch for is a failure", async () => {
  await using setup = await setUp(() => ({}));
  const { hook } = setup;
  await register(setup, "Validating", [{ clientConfig: { url: `${hook.url}/x` } }]);
  const { body } = await setup.api.send("POST", maps, { body: configMap("x") });
  assert.match(stringAt(body, "message"), /x509: certificate signed by unknown authority$/);
});

test("a webhook that takes too long is given up", async () => {
  const stop = Promise.withResolvers<void>();
  await using stack = new AsyncDisposableStack();
  const hook = stack.use(await startWebhookServer(() => stop.promise.then(() => ({ body: {} }))));
  const outgoing = stack.use(createOutgoing());
  const api = stack.use(await createTestServer({ outgoing }));
  await register({ api, hook } as Setup, "Validating", [{ timeoutSeconds: 1 }]);
  const { body } = await api.send("POST", maps, { body: configMap("x") });
  stop.resolve();
  assert.match(stringAt(body, "message"), /\?timeout=1s": context deadline exceeded$/);
});

test("warnings of webhooks reach the client", async () => {
  await using setup = await setUp(() => ({ warnings: ["careful"] }));
  await register(setup, "Validating", [{}]);
  const { headers } = await setup.api.send("POST", maps, { body: configMap("x") });
  assert.deepEqual(
    headers.filter(([name]) => name === "warning"),
    [["warning", '299 - "careful"']],
  );
});

test("selectors say which namespaces and objects a webhook is asked about", async () => {
  await using setup = await setUp(() => ({ allowed: false }));
  const matchExpressions = [{ key: "skip", operator: "DoesNotExist" }];
  await register(setup, "Validating", [
    {
      namespaceSelector: { matchExpressions },
      objectSelector: { matchLabels: { checked: "yes" } },
    },
  ]);
  const { api } = setup;
  const metadata = { name: "quiet", labels: { skip: "" } };
  await api.send("POST", "/api/v1/namespaces", { body: { metadata } });
  const create = async (namespace: string, labels: JsonObject) =>
    (
      await api.send("POST", `/api/v1/namespaces/${namespace}/configmaps`, {
        body: { metadata: { generateName: "x-", labels } },
      })
    ).status;
  assert.deepEqual(
    [
      await create("default", { checked: "yes" }),
      await create("default", {}),
      await create("quiet", { checked: "yes" }),
    ],
    [400, 201, 201],
  );
});

test("a rule about one version of a resource takes the others too, unless it is exact", async () => {
  await using setup = await setUp(() => ({}));
  const { api, hook } = setup;
  const rules = [rule({ apiGroups: ["autoscaling"], resources: ["horizontalpodautoscalers"] })];
  await register(setup, "Mutating", [{ rules }, { rules, matchPolicy: "Exact" }]);
  const body = {
    metadata: { name: "h" },
    spec: {
      maxReplicas: 3,
      scaleTargetRef: { kind: "Deployment", name: "d", apiVersion: "apps/v1" },
      metrics: [
        {
          type: "Resource",
          resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 50 } },
        },
      ],
    },
  };
  const path = "/apis/autoscaling/v2/namespaces/default/horizontalpodautoscalers";
  const created = await api.send("POST", path, { body });
  assert.equal(created.status, 201, created.text);
  assert.deepEqual(
    hook.asked.map((asked) => {
      const request = objectAt(asked.body, "request");
      const version = (field: string) => objectAt(request, field).version;
      const { spec } = objectAt(request, "object");
      return [
        version("kind"),
        version("requestKind"),
        (spec as JsonObject).targetCPUUtilizationPercentage,
      ];
    }),
    [["v1", "v2", 50]],
  );
});

test("the objects that configure admission are never shown to webhooks", async () => {
  await using setup = await setUp(() => ({ allowed: false }));
  const everything = {
    rules: [rule({ apiGroups: ["*"], apiVersions: ["*"], resources: ["*/*"] })],
  };
  await register(setup, "Validating", [everything], "first");
  await register(setup, "Mutating", [everything], "second");
  const gone = await setup.api.send(
    "DELETE",
    `${registration}/validatingwebhookconfigurations/first`,
  );
  assert.deepEqual([gone.status, setup.hook.asked.length], [200, 0]);
});

test("a dry run asks only webhooks without side effects; connections are used again", async () => {
  await using setup = await setUp(() => ({}));
  await register(setup, "Validating", [{ sideEffects: "NoneOnDryRun" }]);
  for (const name of ["x", "y", "z"]) {
    assert.equal(
      (await setup.api.send("POST", `${maps}?dryRun=All`, { body: configMap(name) })).status,
      201,
    );
  }
  assert.deepEqual([setup.hook.asked.length, setup.hook.connections()], [3, 1]);
});

test("calls of webhooks are counted under upstream's names", async () => {
  await using setup = await setUp(() => ({ allowed: false, status: { code: 418 } }));
  await register(setup, "Mutating", [{}]);
  await setup.api.send("POST", maps, { body: configMap("x") });
  const { text } = await setup.api.send("GET", "/metrics");
  const of = 'name="hook-0.example.com",type="admit",operation="CREATE"';
  for (const line of [
    `apiserver_admission_webhook_request_total{${of},code="418",rejected="true"} 1`,
    `apiserver_admission_webhook_rejection_count{${of},error_type="no_error",rejection_code="418"} 1`,
    `apiserver_admission_webhook_admission_duration_seconds_count{${of},rejected="true"} 1`,
  ]) {
    assert.ok(text.includes(line), line);
  }
});

test("match conditions decide whether a webhook is asked; what they get wrong is told", async () => {
  await using setup = await setUp(() => ({ allowed: false }));
  const { api } = setup;
  const expression = "object.metadata.name != 'skip' && request.operation == 'CREATE'";
  await register(setup, "Validating", [{ matchConditions: [{ name: "not-skip", expression }] }]);
  const create = async (name: string) =>
    (await api.send("POST", maps, { body: configMap(name) })).status;
  assert.deepEqual([await create("skip"), await create("x")], [201, 400]);
  const failing = { name: "fails", expression: "object.data.missing == 'x'" };
  await register(setup, "Mutating", [{ matchConditions: [failing] }], "failing");
  const refused = await api.send("POST", maps, { body: configMap("skip-me") });
  assert.deepEqual(
    [refused.status, stringAt(refused.body, "message")],
    [
      403,
      "configmaps \"skip-me\" is forbidden: expression 'object.data.missing == 'x'' resulted in error: no such key: missing",
    ],
  );
  const body = {
    metadata: { name: "bad" },
    webhooks: [
      {
        name: "hook.example.com",
        clientConfig: { url: "https://localhost" },
        admissionReviewVersions: ["v1"],
        sideEffects: "None",
        matchConditions: [{ name: "invalid-expression-1", expression: "... [] bad expression" }],
      },
    ],
  };
  const path = `${registration}/validatingwebhookconfigurations`;
  const invalid = await api.send("POST", path, { body });
  assert.equal(invalid.status, 422);
  assert.match(stringAt(invalid.body, "message"), /compilation failed/);
});

test("a webhook may write the object that it is asked about", async () => {
  await using setup = await setUp(() => ({}));
  const { api } = setup;
  await api.send("POST", maps, { body: configMap("x") });
  const headers = { "content-type": "application/merge-patch+json" };
  const label = (text: string) =>
    api.send("PATCH", `${maps}/x`, { body: { metadata: { labels: { text } } }, headers });
  await using stack = new AsyncDisposableStack();
  const hook = stack.use(
    await startWebhookServer(async ({ body }) => {
      const request = objectAt(body, "request");
      const labels = objectAt(objectAt(objectAt(request, "object"), "metadata"), "labels");
      if (labels.text === "outer") await label("inner");
      const response = { uid: request.uid ?? "", allowed: true };
      return { body: { kind: "AdmissionReview", apiVersion: "admission.k8s.io/v1", response } };
    }),
  );
  await register({ ...setup, hook }, "Validating", [{ timeoutSeconds: 5 }]);
  const outer = await label("outer");
  assert.equal(outer.status, 200, outer.text);
});

const nonsense: readonly JsonObject[] = [
  { allowed: false, status: { code: "many", message: 7, details: "none" } },
  { allowed: false, status: { code: 1_000_000 } },
  { allowed: "yes" },
  { allowed: true, auditAnnotations: { a: {} }, warnings: [1, null, "w\u0000"] },
];

test("whatever a webhook answers, the client gets an answer that HTTP knows", async () => {
  for (const said of nonsense) {
    await using setup = await setUp(() => said);
    await register(setup, "Validating", [{}]);
    const { status } = await setup.api.send("POST", maps, { body: configMap("x") });
    assert.equal(status, said.allowed === true ? 201 : 400);
  }
});
