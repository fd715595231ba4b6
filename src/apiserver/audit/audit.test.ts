import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as turn } from "node:timers/promises";
import type { JsonObject } from "#api/kind.ts";
import { silentLog } from "#base/log.ts";
import { createAuditor, type Auditor } from "#apiserver/audit/auditor.ts";
import { createAuditWebhook, webhookBatchDefault } from "#apiserver/audit/audit-webhook.ts";
import { defaultAuditPolicy } from "#apiserver/audit/default-policy.ts";
import type { AuditEvent } from "#apiserver/audit/event.ts";
import { legacyLine } from "#apiserver/audit/legacy-line.ts";
import {
  createPolicyEvaluator,
  type AuditPolicy,
  type AuditRule,
} from "#apiserver/audit/policy.ts";
import { readAuditPolicy } from "#apiserver/audit/read-policy.ts";
import { anonymous } from "#apiserver/request.ts";
import { requestInfo } from "#apiserver/request-info.ts";
import { createTestServer, requestOf, TestClock, type TestServer } from "#test/api-server.ts";

test("the first rule that matches holds, as upstream matches", () => {
  const rules: readonly AuditRule[] = [
    { level: "None", users: ["quiet"] },
    { level: "Metadata", nonResourceURLs: ["/healthz*", "/version"] },
    { level: "Request", resources: [{ resources: ["pods/log", "*/scale"] }] },
    { level: "RequestResponse", resources: [{ group: "apps", resources: ["deployments/*"] }] },
    { level: "Metadata", namespaces: ["", "kube-system"], verbs: ["delete"] },
    { level: "Request", resources: [{ resources: ["pods"], resourceNames: ["web"] }] },
    { level: "RequestResponse", resources: [{ group: "*", resources: ["widgets"] }] },
    { level: "Metadata", userGroups: ["staff"], omitManagedFields: true },
  ];
  const evaluate = createPolicyEvaluator({ rules });
  const levelOf = (method: string, path: string, user = "jane", groups: string[] = []): string => {
    const info = requestInfo(method, path, new URLSearchParams());
    assert.ok(info);
    return evaluate({ name: user, groups }, info).level;
  };
  const pods = "/api/v1/namespaces/dev/pods";
  const apps = "/apis/apps/v1/namespaces/dev";
  assert.deepEqual(
    {
      quiet: levelOf("GET", "/version", "quiet"),
      health: levelOf("GET", "/healthz/ping"),
      versions: levelOf("GET", "/versions"),
      log: levelOf("GET", `${pods}/a/log`),
      scaleOfOtherGroup: levelOf("PUT", `${apps}/replicasets/a/scale`),
      subresource: levelOf("PUT", `${apps}/deployments/a/status`),
      deployment: levelOf("GET", `${apps}/deployments/a`),
      clusterDelete: levelOf("DELETE", "/api/v1/nodes/a"),
      nonResourceDelete: levelOf("DELETE", "/somewhere"),
      named: levelOf("GET", `${pods}/web`),
      unnamed: levelOf("GET", pods),
      anyGroup: levelOf("GET", "/apis/x.example/v1/widgets"),
      group: levelOf("GET", "/logs", "joe", ["staff"]),
    },
    {
      quiet: "None",
      health: "Metadata",
      versions: "None",
      log: "Request",
      scaleOfOtherGroup: "None",
      subresource: "RequestResponse",
      // Upstream's `deployments/*` names the resource itself too.
      deployment: "RequestResponse",
      clusterDelete: "Metadata",
      nonResourceDelete: "None",
      named: "Request",
      unnamed: "None",
      anyGroup: "RequestResponse",
      group: "Metadata",
    },
  );
});

test("readAuditPolicy() names every problem with its field", () => {
  const policy = {
    apiVersion: "audit.k8s.io/v1",
    kind: "Policy",
    omitStages: ["Never"],
    rules: [
      { level: "Everything", extra: 1 },
      { level: "Metadata", nonResourceURLs: ["a", "/b*c"], namespaces: ["x"] },
      { resources: [{ group: "Apps", resourceNames: ["x"] }], users: "jane" },
    ],
  };
  assert.throws(
    () => readAuditPolicy(policy),
    (error: Error) => {
      assert.deepEqual(error.message.split(": ").slice(1).join(": ").split("; "), [
        'omitStages[0]: Invalid value: "Never": allowed stages are RequestReceived,ResponseStarted,ResponseComplete,Panic',
        "rules[0].extra: unknown field",
        'rules[0].level: Unsupported value: "Everything": supported values: "None", "Metadata", "Request", "RequestResponse"',
        "rules[1].nonResourceURLs[0]: Invalid value: \"a\": non-resource URL rules must begin with a '/' character",
        "rules[1].nonResourceURLs[1]: Invalid value: \"/b*c\": non-resource URL wildcards '*' must be the final character of the rule",
        'rules[1].nonResourceURLs: Invalid value: ["a","/b*c"]: rules cannot apply to both regular resources and non-resource URLs',
        "rules[2].level: Required value",
        "rules[2].users: must be a list of strings",
        'rules[2].resources[0].group: Invalid value: "Apps"',
        "rules[2].resources[0].resourceNames: using resourceNames requires at least one resource",
      ]);
      return true;
    },
  );
  assert.throws(
    () => readAuditPolicy({ ...policy, omitStages: [], rules: [] }),
    /illegal policy with 0 rules/,
  );
});

test("an event has upstream's shape: request, user, object, status, decision, bodies", async () => {
  const { server, events } = await audited({
    omitManagedFields: true,
    rules: [{ level: "RequestResponse" }],
  });
  await using _ = server;
  const body = { apiVersion: "v1", kind: "ConfigMap", metadata: { name: "c" }, data: { a: "1" } };
  const headers = { "audit-id": "from-the-client", "x-forwarded-for": "203.0.113.9" };
  const path = "/api/v1/namespaces/default/configmaps?fieldManager=me";
  const made = await server.send("POST", path, { body, headers });
  assert.deepEqual(
    made.headers.filter(([name]) => name === "audit-id"),
    [["audit-id", "from-the-client"]],
  );
  const received = {
    requestReceivedTimestamp: "2026-01-01T00:00:00.000000Z",
    stageTimestamp: "2026-01-01T00:00:00.000000Z",
  };
  const { managedFields: __, ...metadata } = made.body.metadata as JsonObject;
  const asked = {
    kind: "Event",
    apiVersion: "audit.k8s.io/v1",
    level: "RequestResponse",
    auditID: "from-the-client",
    requestURI: path,
    verb: "create",
    user: { username: "admin", groups: ["system:masters", "system:authenticated"] },
    sourceIPs: ["203.0.113.9"],
    userAgent: "tester/v1",
    ...received,
  };
  assert.deepEqual(events.splice(0), [
    {
      ...asked,
      stage: "RequestReceived",
      objectRef: { resource: "configmaps", namespace: "default", apiVersion: "v1" },
    },
    {
      ...asked,
      stage: "ResponseComplete",
      objectRef: { resource: "configmaps", namespace: "default", name: "c", apiVersion: "v1" },
      responseStatus: { metadata: {}, code: 201 },
      requestObject: body,
      responseObject: { ...made.body, metadata },
      annotations: { "authorization.k8s.io/decision": "allow", "authorization.k8s.io/reason": "" },
    },
  ]);
});

test("who is refused is recorded with the reason; so is who is impersonated, and a path that cannot be read", async () => {
  const { server, events } = await audited({
    omitStages: ["RequestReceived"],
    rules: [{ level: "Metadata" }],
  });
  await using _ = server;
  await server.send("GET", "/api/v1/secrets", { headers: { "impersonate-user": "jane" } });
  await server.send("GET", "/api/v1/%zz");
  const stranger = { name: "", groups: [] };
  const asked = { ...requestOf("GET", "/api/v1/pods?access_token=abc"), user: stranger };
  server.server.refuseStranger(asked, []);
  server.server.refuseStranger(asked, ["bearer", "access_token"]);
  const told = events.map(
    ({ user, impersonatedUser, responseStatus, annotations, requestURI }) => ({
      user: user.username,
      as: impersonatedUser?.username,
      requestURI,
      code: responseStatus?.code,
      message: responseStatus?.message,
      decision: annotations?.["authorization.k8s.io/decision"],
    }),
  );
  assert.deepEqual(told, [
    {
      user: "admin",
      as: "jane",
      requestURI: "/api/v1/secrets",
      code: 403,
      message:
        'secrets is forbidden: User "jane" cannot list resource "secrets" in API group "" at the cluster scope',
      decision: "forbid",
    },
    {
      user: "admin",
      as: undefined,
      requestURI: "/api/v1/%zz",
      code: 400,
      message: "the path of the request cannot be decoded",
      decision: undefined,
    },
    {
      user: undefined,
      as: undefined,
      requestURI: "/api/v1/pods?access_token=REDACTED",
      code: 401,
      message: "Authentication failed, no credentials provided",
      decision: undefined,
    },
    {
      user: undefined,
      as: undefined,
      requestURI: "/api/v1/pods?access_token=REDACTED",
      code: 401,
      message: "Authentication failed, attempted: bearer, access_token",
      decision: undefined,
    },
  ]);
});

test("no token and no Secret is ever recorded, whatever the policy says", async () => {
  const { server, events } = await audited(
    { rules: [{ level: "RequestResponse" }] },
    {
      tokens: { issue: () => Promise.resolve({ token: "issued-token", expiresAtMs: 0 }) },
    },
  );
  await using _ = server;
  const secrets = "/api/v1/namespaces/default/secrets";
  const secret = {
    apiVersion: "v1",
    kind: "Secret",
    metadata: { name: "s" },
    stringData: { a: "hidden-value" },
  };
  await server.send("POST", secrets, { body: secret });
  const patch = { "content-type": "application/merge-patch+json" };
  await server.send("PATCH", `${secrets}/s`, {
    text: '{"stringData":{"b":"hidden-patch"}}',
    headers: patch,
  });
  await server.send("GET", secrets);
  const account = { apiVersion: "v1", kind: "ServiceAccount", metadata: { name: "robot" } };
  await server.send("POST", "/api/v1/namespaces/default/serviceaccounts", { body: account });
  const request = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenRequest",
    spec: { audiences: [] },
  };
  const issued = await server.send(
    "POST",
    "/api/v1/namespaces/default/serviceaccounts/robot/token",
    { body: request },
  );
  assert.equal((issued.body.status as JsonObject).token, "issued-token");
  const review = {
    apiVersion: "authentication.k8s.io/v1",
    kind: "TokenReview",
    spec: { token: "shown-token" },
  };
  await server.send("POST", "/apis/authentication.k8s.io/v1/tokenreviews", { body: review });
  const text = JSON.stringify(events);
  assert.deepEqual(
    ["hidden-value", btoa("hidden-value"), "hidden-patch", "issued-token", "shown-token"].filter(
      (word) => text.includes(word),
    ),
    [],
  );
  const complete = events.filter(({ stage }) => stage === "ResponseComplete");
  assert.deepEqual(
    complete.map(({ verb, level, objectRef }) => `${verb} ${objectRef?.resource} ${level}`),
    [
      "create secrets Metadata",
      "patch secrets Metadata",
      "list secrets Metadata",
      "create serviceaccounts RequestResponse",
      "create serviceaccounts RequestResponse",
      "create tokenreviews RequestResponse",
    ],
  );
  const token = complete[4]?.responseObject as JsonObject;
  assert.equal((token.status as JsonObject).token, "REDACTED");
});

test("a watch is recorded when it begins and when it ends", async () => {
  const { server, events } = await audited({ rules: [{ level: "Metadata" }] });
  await using _ = server;
  const watch = await server.watch("/api/v1/pods?watch=true");
  const stages = (): string[] =>
    events.map(({ stage, responseStatus }) => `${stage} ${responseStatus?.code}`);
  assert.deepEqual(stages(), ["RequestReceived undefined", "ResponseStarted 200"]);
  watch.close();
  await watch.next();
  await turn();
  assert.deepEqual(stages().slice(2), ["ResponseComplete 200"]);
});

test("the default policy records who did what and who was refused, and leaves out what a cluster does all the time", async () => {
  const { server, events } = await audited(defaultAuditPolicy);
  await using _ = server;
  const kogge = { name: "system:kogge", groups: ["system:masters"] };
  const lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: { name: "l" } };
  await server.send("GET", "/healthz");
  await server.send("GET", "/apis/apps/v1");
  await server.send("GET", "/api/v1/pods", { user: kogge });
  await server.send("POST", "/apis/coordination.k8s.io/v1/namespaces/default/leases", {
    body: lease,
    user: kogge,
  });
  await server.send("GET", "/api/v1/secrets");
  await server.send("DELETE", "/api/v1/namespaces/none", { user: kogge });
  await server.send("GET", "/metrics");
  const node = { name: "system:node:a", groups: ["system:nodes", "system:authenticated"] };
  await server.send("GET", "/api/v1/nodes/a", { user: node });
  await server.send("GET", "/api/v1/namespaces/default/secrets/s", { user: node });
  server.server.refuseStranger({ ...requestOf("GET", "/healthz"), user: anonymous }, ["bearer"]);
  assert.deepEqual(
    events.map(
      ({ verb, requestURI, level, responseStatus }) =>
        `${verb} ${requestURI} ${level} ${responseStatus?.code}`,
    ),
    [
      "list /api/v1/secrets Metadata 200",
      "delete /api/v1/namespaces/none Metadata 404",
      "get /metrics Metadata 200",
      "get /api/v1/namespaces/default/secrets/s Metadata 403",
      "get /healthz Metadata 401",
    ],
  );
});

test("legacyLine() writes what upstream's legacy format holds", async () => {
  const { server, events } = await audited({
    omitStages: ["RequestReceived"],
    rules: [{ level: "Metadata" }],
  });
  await using _ = server;
  await server.send("GET", "/api/v1/namespaces/dev/pods", { headers: { "audit-id": "7" } });
  assert.equal(
    legacyLine(events[0]!),
    '2026-01-01T00:00:00.000000Z AUDIT: id="7" stage="ResponseComplete" ip="<unknown>" method="list" user="admin" groups="\\"system:masters\\",\\"system:authenticated\\"" as="<self>" asgroups="<lookup>" user-agent="tester/v1" namespace="dev" uri="/api/v1/namespaces/dev/pods" response="200"',
  );
});

test("createAuditWebhook() sends batches, again when it must, and loses what does not fit", async () => {
  const clock = new TestClock();
  const sent: number[] = [];
  const answers = [500, "gone", 200, 400];
  let lost = 0;
  const webhook = createAuditWebhook({
    post: (body) => {
      const list = JSON.parse(new TextDecoder().decode(body)) as { kind: string; items: unknown[] };
      sent.push(list.items.length);
      const answer = answers.shift() ?? 200;
      return typeof answer === "number"
        ? Promise.resolve(answer)
        : Promise.reject(new Error(answer));
    },
    batch: { ...webhookBatchDefault, bufferSize: 6, maxSize: 4, maxWaitMs: 1_000 },
    initialBackoffMs: 100,
    clock,
    log: silentLog,
    onLost: (count) => (lost += count),
  });
  const event = { kind: "Event" } as AuditEvent;
  const pass = async (ms: number): Promise<void> => {
    clock.advance(ms);
    for (let round = 0; round < 5; round += 1) await turn();
  };
  webhook.record(event);
  await pass(999);
  assert.deepEqual(sent, []);
  await pass(1);
  assert.deepEqual(sent, [1]);
  await pass(99);
  assert.deepEqual(sent, [1]);
  await pass(1);
  await pass(150);
  assert.deepEqual([sent.splice(0), lost], [[1, 1, 1], 0]);
  for (let at = 0; at < 4; at += 1) webhook.record(event);
  for (let at = 0; at < 8; at += 1) webhook.record(event);
  assert.equal(lost, 6);
  await pass(0);
  assert.deepEqual([sent.splice(0), lost], [[4], 10], "what is refused is not sent again");
  await webhook[Symbol.asyncDispose]();
  assert.deepEqual(sent, [2]);
});

async function audited(
  policy: AuditPolicy,
  parts: Parameters<typeof createTestServer>[0] = {},
): Promise<{ server: TestServer; events: AuditEvent[] }> {
  const events: AuditEvent[] = [];
  const late: { auditor?: Auditor } = {};
  const audit: Auditor = { begin: (asked) => late.auditor?.begin(asked) };
  const server = await createTestServer({ ...parts, audit });
  const backends = [{ record: (event: AuditEvent) => void events.push(written(event)) }];
  late.auditor = createAuditor({ policy, backends, clock: server.clock });
  return { server, events };
}

/** As it goes to a log. */
function written(event: AuditEvent): AuditEvent {
  return JSON.parse(JSON.stringify(event)) as AuditEvent;
}
