import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { createTestServer, type TestServer } from "#test/api-server.ts";

const space = "/api/v1/namespaces/default";
const quotas = `${space}/resourcequotas`;

/** A server with a quota whose use was counted as nothing. */
async function withQuota(spec: JsonObject): Promise<TestServer> {
  const api = await createTestServer();
  await api.send("POST", `${space}/serviceaccounts`, { body: { metadata: { name: "default" } } });
  await addQuota(api, "q", spec);
  return api;
}

async function addQuota(api: TestServer, name: string, spec: JsonObject): Promise<void> {
  await api.send("POST", quotas, { body: { metadata: { name }, spec } });
  const hard = spec.hard as Record<string, string>;
  const used = Object.fromEntries(Object.keys(hard).map((key) => [key, "0"]));
  await setStatus(api, name, { hard, used });
}

async function setStatus(api: TestServer, name: string, status: JsonObject) {
  const { body } = await api.send("GET", `${quotas}/${name}`);
  return api.send("PUT", `${quotas}/${name}/status`, { body: { ...body, status } });
}

async function used(api: TestServer, name = "q"): Promise<unknown> {
  const { body } = await api.send("GET", `${quotas}/${name}`);
  return (body.status as JsonObject).used;
}

function podOf(name: string, requests: JsonObject = {}, spec: JsonObject = {}): JsonObject {
  const containers = [{ name: "c", image: "i", resources: { requests } }];
  return { metadata: { name }, spec: { containers, ...spec } };
}

const make = (api: TestServer, resource: string, body: JsonObject, query = "") =>
  api.send("POST", `${space}/${resource}${query}`, { body });

test("of many writers at once no more get through than a quota has room for", async () => {
  await using api = await withQuota({ hard: { configmaps: "5", "count/configmaps": "100" } });
  const answers = await Promise.all(
    Array.from({ length: 40 }, (_, index) =>
      make(api, "configmaps", { metadata: { name: `c${index}` } }),
    ),
  );
  const codes = answers.map(({ status }) => status).toSorted((a, b) => a - b);
  assert.deepEqual(codes, [...Array(5).fill(201), ...Array(35).fill(403)]);
  assert.deepEqual(await used(api), { configmaps: "5", "count/configmaps": "5" });
  assert.equal(
    answers.find(({ status }) => status === 403)?.body.message,
    'configmaps "c5" is forbidden: exceeded quota: q, requested: configmaps=1, used: configmaps=5, limited: configmaps=5',
  );
});

test("what was not stored is given back, what is only tried is not taken", async () => {
  await using api = await withQuota({ hard: { secrets: "3" } });
  const body = { metadata: { name: "s" } };
  const answers = [
    await make(api, "secrets", body, "?dryRun=All"),
    await make(api, "secrets", body),
    await make(api, "secrets", body),
    await make(api, "secrets", body),
    await make(api, "secrets", { metadata: { name: "t" } }),
  ];
  assert.deepEqual(
    answers.map(({ status }) => status),
    [201, 201, 409, 409, 201],
  );
  assert.deepEqual(await used(api), { secrets: "2" });
});

test("pods are counted by what they want, in all the ways it is written", async () => {
  await using api = await withQuota({
    hard: { pods: "2", cpu: "1", "requests.memory": "1Gi", "requests.example.com/gpu": "1" },
  });
  const tooMuch = await make(api, "pods", podOf("a", { cpu: "2", memory: "512Mi" }));
  const silent = await make(api, "pods", podOf("b", { cpu: "1" }));
  const gpu = { "example.com/gpu": "1" };
  const resources = {
    requests: { cpu: "500m", memory: "512Mi", ...gpu },
    limits: { cpu: "1", ...gpu },
  };
  const spec = { containers: [{ name: "c", image: "i", resources }] };
  const fits = await make(api, "pods", { metadata: { name: "c" }, spec });
  assert.deepEqual(
    [tooMuch.body.message, silent.body.message, fits.status],
    [
      'pods "a" is forbidden: exceeded quota: q, requested: cpu=2, used: cpu=0, limited: cpu=1',
      'pods "b" is forbidden: failed quota: q: must specify requests.memory for: c',
      201,
    ],
  );
  assert.deepEqual(await used(api), {
    cpu: "500m",
    pods: "1",
    "requests.example.com/gpu": "1",
    "requests.memory": "512Mi",
  });
});

test("a quota with scopes counts the pods that are in all of them", async () => {
  await using api = await withQuota({ hard: { pods: "1" }, scopes: ["BestEffort"] });
  await addQuota(api, "deadline", { hard: { pods: "1" }, scopes: ["Terminating"] });
  await addQuota(api, "others", {
    hard: { pods: "1" },
    scopeSelector: {
      matchExpressions: [
        { scopeName: "PriorityClass", operator: "In", values: ["system-node-critical"] },
      ],
    },
  });
  await make(api, "pods", podOf("none"));
  await make(api, "pods", podOf("some", { cpu: "1" }, { activeDeadlineSeconds: 60 }));
  await make(
    api,
    "pods",
    podOf("high", { cpu: "1" }, { priorityClassName: "system-node-critical" }),
  );
  assert.deepEqual(await Promise.all(["q", "deadline", "others"].map((name) => used(api, name))), [
    { pods: "1" },
    { pods: "1" },
    { pods: "1" },
  ]);
  const more = await make(api, "pods", podOf("more"));
  const why = "exceeded quota: q, requested: pods=1, used: pods=1, limited: pods=1";
  assert.equal(more.body.message, `pods "more" is forbidden: ${why}`);
});

test("services count their node ports and balancers when they come and when they change", async () => {
  await using api = await withQuota({
    hard: { services: "3", "services.nodeports": "1", "services.loadbalancers": "0" },
  });
  const service = (type: string): JsonObject => ({
    metadata: { name: "s" },
    spec: { type, ports: [{ port: 80 }] },
  });
  const balanced = await make(api, "services", service("LoadBalancer"));
  await make(api, "services", service("ClusterIP"));
  const patch = { headers: { "content-type": "application/merge-patch+json" } };
  const path = `${space}/services/s`;
  const changed = await api.send("PATCH", path, {
    ...patch,
    text: JSON.stringify({ spec: { type: "NodePort" } }),
  });
  assert.deepEqual(
    [balanced.body.message, changed.status, await used(api)],
    [
      'services "s" is forbidden: exceeded quota: q, requested: services.loadbalancers=1, used: services.loadbalancers=0, limited: services.loadbalancers=0',
      200,
      { services: "1", "services.loadbalancers": "0", "services.nodeports": "1" },
    ],
  );
});

test("claims count storage, also by class, and custom kinds count by name", async () => {
  const gold = "gold.storageclass.storage.k8s.io/requests.storage";
  await using api = await withQuota({
    hard: { "requests.storage": "10Gi", [gold]: "1Gi", "count/deployments.apps": "0" },
  });
  const claim = (name: string, storageClassName: string): JsonObject => ({
    metadata: { name },
    spec: {
      accessModes: ["ReadWriteOnce"],
      storageClassName,
      resources: { requests: { storage: "2Gi" } },
    },
  });
  const refused = await make(api, "persistentvolumeclaims", claim("a", "gold"));
  const taken = await make(api, "persistentvolumeclaims", claim("b", "iron"));
  const template = {
    metadata: { labels: { a: "b" } },
    spec: { containers: [{ name: "c", image: "i" }] },
  };
  const deployment = await api.send("POST", "/apis/apps/v1/namespaces/default/deployments", {
    body: {
      metadata: { name: "d" },
      spec: { selector: { matchLabels: { a: "b" } }, template },
    },
  });
  assert.deepEqual(
    [refused.body.message, taken.status, deployment.body.message],
    [
      `persistentvolumeclaims "a" is forbidden: exceeded quota: q, requested: ${gold}=2Gi, used: ${gold}=0, limited: ${gold}=1Gi`,
      201,
      'deployments.apps "d" is forbidden: exceeded quota: q, requested: count/deployments.apps=1, used: count/deployments.apps=0, limited: count/deployments.apps=0',
    ],
  );
});

test("a usage that was counted before the last write ended is sent back once", async () => {
  await using api = await withQuota({ hard: { secrets: "5" } });
  await make(api, "secrets", { metadata: { name: "s" } });
  const status = { hard: { secrets: "5" }, used: { secrets: "0" } };
  const first = await setStatus(api, "q", status);
  const second = await setStatus(api, "q", status);
  assert.deepEqual([first.status, second.status], [409, 200]);
});

test("while nobody has counted yet, nothing that a quota limits is made", async () => {
  await using api = await withQuota({ hard: { secrets: "5" } });
  await setStatus(api, "q", { hard: { secrets: "5" } });
  const { body } = await make(api, "secrets", { metadata: { name: "s" } });
  const why = "status unknown for quota: q, resources: secrets";
  assert.equal(body.message, `secrets "s" is forbidden: ${why}`);
});
