import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { createTestServer, type TestServer } from "#test/api-server.ts";

const one = { name: "system:node:one", groups: ["system:nodes", "system:authenticated"] };
const pods = "/api/v1/namespaces/default/pods";
const merge = { "content-type": "application/merge-patch+json" };

test("a node reads what its own pods need and nothing of others", async () => {
  await using api = await openCluster();
  const paths = [
    "/api/v1/namespaces/default/secrets/of-one",
    "/api/v1/namespaces/default/secrets/of-two",
    "/api/v1/namespaces/default/secrets",
    "/api/v1/namespaces/default/configmaps/of-one",
    "/api/v1/namespaces/default/configmaps/of-two",
    `${pods}/one`,
    `${pods}/two`,
    "/api/v1/pods",
    "/api/v1/pods?fieldSelector=spec.nodeName%3Done",
    "/api/v1/pods?fieldSelector=spec.nodeName%3Dtwo",
    "/api/v1/nodes/one",
    "/api/v1/nodes/two",
    "/api/v1/nodes",
    "/api/v1/services",
    "/apis/coordination.k8s.io/v1/namespaces/kube-node-lease/leases/two",
    "/api/v1/namespaces",
    "/api/v1/persistentvolumes",
    "/api/v1/persistentvolumes?labelSelector=kogge.dev%2Fnode%3Done",
    "/api/v1/persistentvolumes?labelSelector=kogge.dev%2Fnode%3Dtwo",
  ];
  const seen: Record<string, number> = {};
  for (const path of paths) seen[path] = (await api.send("GET", path, { user: one })).status;
  assert.equal(
    Object.values(seen).join(" "),
    "200 403 403 200 403 200 403 403 200 403 200 403 403 200 403 403 403 200 403",
  );
  const { body } = await api.send("GET", paths[1] ?? "", { user: one });
  assert.equal(
    body.message,
    `secrets "of-two" is forbidden: User "system:node:one" cannot get resource "secrets" in API group "" in the namespace "default": no relationship found between node 'one' and this object`,
  );
  await api.send("DELETE", `${pods}/one?gracePeriodSeconds=0`);
  assert.equal((await api.send("GET", paths[0] ?? "", { user: one })).status, 403);
});

test("a node reads the claims of its pods and removes its own slices of devices", async () => {
  await using api = await openCluster();
  const resources = "/apis/resource.k8s.io/v1";
  const claims = `${resources}/namespaces/default/resourceclaims`;
  const requests = [{ name: "a", exactly: { deviceClassName: "c" } }];
  for (const name of ["one", "two"]) {
    const claim = { metadata: { name }, spec: { devices: { requests } } };
    assert.equal((await api.send("POST", claims, { body: claim })).status, 201);
    const { spec } = pod(name, name) as { spec: object };
    const resourceClaims = [{ name: "mine", resourceClaimName: name }];
    const body = { metadata: { name: `claims-${name}` }, spec: { ...spec, resourceClaims } };
    const started = await api.send("POST", pods, { body });
    assert.equal(started.status, 201, started.text);
    const slice = {
      metadata: { name },
      spec: {
        driver: "dra.example.com",
        nodeName: name,
        pool: { name, generation: 1, resourceSliceCount: 1 },
      },
    };
    const created = await api.send("POST", `${resources}/resourceslices`, { body: slice });
    assert.equal(created.status, 201, created.text);
  }
  const slicesOf = (node: string): string =>
    `${resources}/resourceslices?fieldSelector=spec.nodeName%3D${node},spec.driver%3Ddra.example.com`;
  const answers = [
    await api.send("GET", `${claims}/one`, { user: one }),
    await api.send("GET", `${claims}/two`, { user: one }),
    await api.send("GET", claims, { user: one }),
    await api.send("DELETE", slicesOf("two"), { user: one }),
    await api.send("DELETE", slicesOf("one"), { user: one }),
    await api.send("GET", `${resources}/resourceslices/one`),
    await api.send("GET", `${resources}/resourceslices/two`),
  ];
  assert.equal(answers.map(({ status }) => status).join(" "), "200 403 403 403 200 404 200");
});

test("a node writes only about itself and its pods", async () => {
  await using api = await openCluster();
  const patch = async (path: string, value: JsonObject) => {
    const request = { text: JSON.stringify(value), headers: merge, user: one };
    const { status, body } = await api.send("PATCH", path, request);
    return status === 200 ? 200 : body.message;
  };
  const status = { status: { message: "x" } };
  const condition = { status: { phase: "Running" } };
  const answers = [
    await patch(`${pods}/one/status`, status),
    await patch(`${pods}/two/status`, status),
    await patch(`${pods}/one`, { metadata: { labels: { a: "b" } } }),
    await patch("/api/v1/nodes/one/status", condition),
    await patch("/api/v1/nodes/two/status", condition),
    await patch("/api/v1/nodes/one", { spec: { taints: null } }),
    await patch("/api/v1/nodes/one", {
      metadata: { labels: { "node-restriction.kubernetes.io/a": "b" } },
    }),
    await patch("/api/v1/nodes/one", { metadata: { labels: { "example.org/a": "b" } } }),
  ];
  assert.deepEqual(answers, [
    200,
    'pods "two" is forbidden: node "one" can only update pod status for pods with spec.nodeName set to itself',
    'pods "one" is forbidden: User "system:node:one" cannot patch resource "pods" in API group "" in the namespace "default"',
    200,
    'nodes "two" is forbidden: node "one" is not allowed to modify node "two"',
    'nodes "one" is forbidden: node "one" is not allowed to modify taints',
    'nodes "one" is forbidden: is not allowed to modify labels: node-restriction.kubernetes.io/a',
    200,
  ]);
  const removed = await api.send("DELETE", `${pods}/two`, { user: one });
  assert.equal(
    removed.body.message,
    'pods "two" is forbidden: node "one" can only delete pods with spec.nodeName set to itself',
  );
  const created = await api.send("POST", pods, { user: one, body: pod("three", "one") });
  assert.equal(
    created.body.message,
    'pods "three" is forbidden: pod does not have "kubernetes.io/config.mirror" annotation, node "one" can only create mirror pods',
  );
});

test("a node gets tokens only for its own pods, bound to them", async () => {
  const tokens = { issue: () => Promise.resolve({ token: "t", expiresAtMs: 0 }) };
  await using api = await openCluster({ tokens });
  const uidOf = async (name: string) =>
    ((await api.send("GET", `${pods}/${name}`)).body.metadata as { uid: string }).uid;
  const ask = async (account: string, spec: JsonObject) => {
    const path = `/api/v1/namespaces/default/serviceaccounts/${account}/token`;
    const { status, body } = await api.send("POST", path, { body: { spec }, user: one });
    return status === 201 ? 201 : body.message;
  };
  const boundTo = async (name: string) => ({
    boundObjectRef: { apiVersion: "v1", kind: "Pod", name, uid: await uidOf(name) },
  });
  assert.deepEqual(
    [
      await ask("one", await boundTo("one")),
      await ask("one", {}),
      await ask("one", await boundTo("two")),
      await ask("one", { ...(await boundTo("one")), audiences: ["vault"] }),
      await ask("two", await boundTo("two")),
    ],
    [
      201,
      'serviceaccounts "one" is forbidden: node requested token not bound to a pod',
      'serviceaccounts "one" is forbidden: node requested token bound to a pod scheduled on a different node',
      'serviceaccounts "one" is forbidden: audience "vault" not found in pod spec volume, system:node:one is not authorized to request tokens for this audience',
      `serviceaccounts "two" is forbidden: User "system:node:one" cannot create resource "serviceaccounts/token" in API group "" in the namespace "default": no relationship found between node 'one' and this object`,
    ],
  );
});

async function openCluster(
  parts: Parameters<typeof createTestServer>[0] = {},
): Promise<TestServer> {
  const api = await createTestServer(parts);
  const create = async (path: string, body: JsonObject) => {
    const { status, text } = await api.send("POST", path, { body });
    assert.equal(status, 201, text);
  };
  for (const name of ["one", "two"]) {
    const namespace = "/api/v1/namespaces/default";
    const taints = [{ key: "a", effect: "NoSchedule" }];
    await create("/api/v1/nodes", { metadata: { name }, spec: { taints } });
    await create(`${namespace}/serviceaccounts`, { metadata: { name } });
    await create(`${namespace}/secrets`, { metadata: { name: `of-${name}` } });
    await create(`${namespace}/configmaps`, { metadata: { name: `of-${name}` } });
    await create(pods, pod(name, name));
  }
  return api;
}

function pod(name: string, nodeName: string): JsonObject {
  const container = {
    name: "main",
    image: "web:1",
    envFrom: [{ secretRef: { name: `of-${name}` } }],
  };
  return {
    metadata: { name },
    spec: {
      nodeName,
      serviceAccountName: name === "three" ? "one" : name,
      containers: [container],
      volumes: [{ name: "config", configMap: { name: `of-${name}` } }],
    },
  };
}
