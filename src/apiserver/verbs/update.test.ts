import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { createTestServer, type TestServer } from "#test/api-server.ts";

const template = {
  metadata: { labels: { a: "b" } },
  spec: { containers: [{ name: "c", image: "i" }] },
};
const workload = { selector: { matchLabels: { a: "b" } }, template };
const apps = "/apis/apps/v1/namespaces/default";
const merge = { "content-type": "application/merge-patch+json" };

async function patchedMetadata(api: TestServer, path: string, body: JsonObject) {
  const answer = await api.send("PATCH", path, { body, headers: merge });
  return answer.body.metadata as JsonObject;
}

test("a deployment's annotations make a new generation, its labels do not", async () => {
  await using api = await createTestServer();
  await api.send("POST", `${apps}/deployments`, {
    body: { metadata: { name: "d" }, spec: workload },
  });
  const generations = [];
  const changes: JsonObject[] = [{ labels: { x: "1" } }, { annotations: { x: "1" } }];
  for (const change of changes) {
    const metadata = await patchedMetadata(api, `${apps}/deployments/d`, { metadata: change });
    generations.push(metadata.generation);
  }
  assert.deepEqual(generations, [1, 2]);
});

test("a daemon set counts the generations of its template in an annotation", async () => {
  await using api = await createTestServer();
  const path = `${apps}/daemonsets`;
  const { body } = await api.send("POST", path, {
    body: { metadata: { name: "d" }, spec: workload },
  });
  const seen = [body.metadata as JsonObject];
  const specs: JsonObject[] = [
    { minReadySeconds: 5 },
    { template: { spec: { hostNetwork: true } } },
  ];
  for (const spec of specs) {
    seen.push(await patchedMetadata(api, `${path}/d`, { spec }));
  }
  assert.deepEqual(
    seen.map(({ annotations }) => annotations),
    ["1", "1", "2"].map((count) => ({ "deprecated.daemonset.template.generation": count })),
  );
});

test("a cluster-wide object drops the namespace it is sent with", async () => {
  await using api = await createTestServer();
  const { status, body } = await api.send(
    "POST",
    "/apis/rbac.authorization.k8s.io/v1/clusterroles",
    {
      body: { metadata: { name: "r", namespace: "default" } },
    },
  );
  assert.deepEqual([status, (body.metadata as JsonObject).namespace], [201, undefined]);
});

interface Refused {
  readonly what: string;
  readonly path: string;
  readonly body: JsonObject;
  readonly message: RegExp;
}

const configMap = "/api/v1/namespaces/default/configmaps/a";
const lease = "/apis/coordination.k8s.io/v1/namespaces/default/leases/a";
const refusals: readonly Refused[] = [
  {
    what: "without a name",
    path: configMap,
    body: { metadata: {} },
    message:
      /^the name of the object \(a based on URL\) was undeterminable: name must be provided$/,
  },
  {
    what: "of another object of that name",
    path: configMap,
    body: { metadata: { name: "a", uid: "u" } },
    message:
      /^Operation cannot be fulfilled on configmaps "a": StorageError: invalid object, Code: 4, Key: \S+, ResourceVersion: 0, AdditionalErrorMsg: Precondition failed: UID in precondition: u, UID in object meta: \S+$/,
  },
  {
    what: "that must name its version and does not",
    path: lease,
    body: { metadata: { name: "a" } },
    message:
      /^leases.coordination.k8s.io "a" is invalid: metadata.resourceVersion: Invalid value: 0: must be specified for an update$/,
  },
];

for (const { what, path, body, message } of refusals) {
  test(`an update ${what} is refused in upstream's words`, async () => {
    await using api = await createTestServer();
    const collection = path.slice(0, path.lastIndexOf("/"));
    await api.send("POST", collection, { body: { metadata: { name: "a" } } });
    const refused = await api.send("PUT", path, { body });
    assert.match(String(refused.body.message as string), message);
  });
}
