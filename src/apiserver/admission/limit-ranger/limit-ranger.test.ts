import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { createTestServer } from "#test/api-server.ts";

const space = "/api/v1/namespaces/default";

async function limitedBy(...limits: JsonObject[]) {
  const api = await createTestServer();
  await api.send("POST", `${space}/serviceaccounts`, { body: { metadata: { name: "default" } } });
  const body = { metadata: { name: "bounds" }, spec: { limits } };
  assert.equal((await api.send("POST", `${space}/limitranges`, { body })).status, 201);
  return api;
}

function podOf(...resources: JsonObject[]): JsonObject {
  const containers = resources.map((one, index) => ({
    name: `c${index}`,
    image: "i",
    resources: one,
  }));
  return { metadata: { name: "p" }, spec: { containers } };
}

test("LimitRanger fills in what containers leave out and says so", async () => {
  await using api = await limitedBy({
    type: "Container",
    default: { cpu: "500m", memory: "500Mi", "ephemeral-storage": "500Gi" },
    defaultRequest: { cpu: "100m", memory: "200Mi", "ephemeral-storage": "200Gi" },
    max: { cpu: "800m" },
    min: { cpu: "50m" },
  });
  const { body } = await api.send("POST", `${space}/pods`, {
    body: podOf({}, { requests: { cpu: "300m" } }),
  });
  const { containers } = body.spec as { containers: JsonObject[] };
  const limits = { cpu: "500m", memory: "500Mi", "ephemeral-storage": "500Gi" };
  const requests = { cpu: "100m", memory: "200Mi", "ephemeral-storage": "200Gi" };
  assert.deepEqual(
    containers.map((container) => container.resources),
    [
      { limits, requests },
      { limits, requests: { ...requests, cpu: "300m" } },
    ],
  );
  assert.deepEqual((body.metadata as JsonObject).annotations, {
    "kubernetes.io/limit-ranger":
      "LimitRanger plugin set: cpu, ephemeral-storage, memory request for container c0; cpu, ephemeral-storage, memory limit for container c0; " +
      "ephemeral-storage, memory request for container c1; cpu, ephemeral-storage, memory limit for container c1",
  });
});

const both = (cpu: string): JsonObject => ({ requests: { cpu }, limits: { cpu } });
const refusals: readonly [what: string, limit: JsonObject, pod: JsonObject, why: string][] = [
  [
    "less than a container's minimum",
    { type: "Container", min: { cpu: "200m" } },
    podOf(both("100m")),
    "minimum cpu usage per Container is 200m, but request is 100m",
  ],
  [
    "more than a container's maximum",
    { type: "Container", max: { memory: "1Gi" } },
    podOf({ limits: { memory: "2Gi" } }),
    "maximum memory usage per Container is 1Gi, but limit is 2Gi",
  ],
  [
    "no request where a pod has a minimum",
    { type: "Pod", min: { cpu: "1" } },
    podOf({}),
    "minimum cpu usage per Pod is 1.  No request is specified",
  ],
  [
    "more in all than a pod's maximum",
    { type: "Pod", max: { cpu: "1" } },
    podOf(both("600m"), both("500m")),
    "maximum cpu usage per Pod is 1, but limit is 1100m",
  ],
  [
    "a limit too far above the request",
    { type: "Container", maxLimitRequestRatio: { cpu: "2" } },
    podOf({ requests: { cpu: "100m" }, limits: { cpu: "300m" } }),
    "cpu max limit to request ratio per Container is 2, but provided ratio is 3.000000",
  ],
];

for (const [what, limit, body, why] of refusals) {
  test(`LimitRanger refuses a pod that wants ${what}`, async () => {
    await using api = await limitedBy(limit);
    const { body: status } = await api.send("POST", `${space}/pods`, { body });
    assert.equal(status.message, `pods "p" is forbidden: ${why}`);
  });
}

test("LimitRanger holds claims to their bounds", async () => {
  await using api = await limitedBy({
    type: "PersistentVolumeClaim",
    min: { storage: "1Gi" },
    max: { storage: "2Gi" },
  });
  const claim = (storage: string): JsonObject => ({
    metadata: { name: "c" },
    spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage } } },
  });
  const messages = await Promise.all(
    ["500Mi", "3Gi"].map(
      async (size) =>
        (await api.send("POST", `${space}/persistentvolumeclaims`, { body: claim(size) })).body
          .message,
    ),
  );
  assert.deepEqual(messages, [
    'persistentvolumeclaims "c" is forbidden: minimum storage usage per PersistentVolumeClaim is 1Gi, but request is 500Mi',
    'persistentvolumeclaims "c" is forbidden: maximum storage usage per PersistentVolumeClaim is 2Gi, but request is 3Gi',
  ]);
});
