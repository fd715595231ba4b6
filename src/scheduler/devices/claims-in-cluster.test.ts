import assert from "node:assert/strict";
import { test } from "node:test";
import type {
  Device,
  DeviceRequest,
  Pod,
  ResourceSlice,
  ResourceV1ResourceClaim as ResourceClaim,
} from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import {
  deviceClasses,
  namespaces,
  pods,
  resourceClaims,
  resourceClaimTemplates,
  resourceSlices,
} from "#api/resources.ts";
import { publishDevices } from "#agent/simulated/publish-devices.ts";
import { controllerRefTo } from "#reconcile/owners.ts";
import { createCluster, type TestCluster } from "#main/testing.ts";

const namespace = "default";
const driver = "gpu.example.com";

/** What the tests do in a cluster whose first node has two devices. */
async function gpuCluster() {
  const cluster = await createCluster({ nodes: 2, seed: 1 });
  const { client } = cluster;
  await client.create(deviceClasses, {
    apiVersion: "resource.k8s.io/v1",
    kind: "DeviceClass",
    metadata: { name: "gpu" },
    spec: { selectors: [{ cel: { expression: `device.driver == "${driver}"` } }] },
  });
  const devices = [{ name: "gpu-0" }, { name: "gpu-1" }];
  await publishDevices(client, "node-1", [{ driver, devices }]);
  return {
    cluster,
    ...deedsIn(cluster),
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}

function deedsIn({ client, informers }: TestCluster) {
  const claims = informers.of(resourceClaims);
  const podInformer = informers.of(pods);
  const patience = () => AbortSignal.timeout(60_000);
  const pod = (name: string) => podInformer.get({ namespace, name });
  return {
    claim: (name: string) => claims.get({ namespace, name }),
    pod,
    untilPod: (name: string, holds: (pod: Pod | undefined) => boolean) =>
      podInformer.until(() => holds(pod(name)), patience()),
    untilClaim: (name: string, holds: (claim: ResourceClaim | undefined) => boolean) =>
      claims.until(() => holds(claims.get({ namespace, name })), patience()),
    deletePod: (name: string) =>
      client.delete(pods, { namespace, name }, { gracePeriodSeconds: 0 }),
    createClaim: (name: string, exactly: object = {}) =>
      client.create(resourceClaims, {
        apiVersion: "resource.k8s.io/v1",
        kind: "ResourceClaim",
        metadata: { name, namespace },
        spec: { devices: { requests: [request(exactly)] } },
      }),
  };
}

function request(exactly: object): DeviceRequest {
  return { name: "gpu", exactly: { deviceClassName: "gpu", ...exactly } };
}

function slice(nodeName: string, driverName: string, device: Device): ResourceSlice {
  return {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceSlice",
    metadata: { name: `${nodeName}-${driverName}` },
    spec: {
      driver: driverName,
      nodeName,
      pool: { name: nodeName, generation: 1, resourceSliceCount: 1 },
      devices: [device],
    },
  };
}

function podWith(name: string, claim: object): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace },
    spec: {
      terminationGracePeriodSeconds: 0,
      resourceClaims: [{ name: "gpu", ...claim }],
      containers: [{ name: "main", image: "app", resources: { claims: [{ name: "gpu" }] } }],
    },
  };
}

const isRunning = (pod: Pod | undefined) => pod?.status?.phase === "Running";

function whyNot(pod: Pod | undefined): string {
  const condition = pod?.status?.conditions?.find(({ type }) => type === "PodScheduled");
  return condition?.status === "False" ? (condition.message ?? "") : "";
}

function devicesOf(claim: ResourceClaim | undefined): readonly string[] {
  return (claim?.status?.allocation?.devices?.results ?? []).map(({ device }) => device);
}

test("pods that name one claim run on the node of its device, and the next claim gets it when they are gone", async () => {
  await using given = await gpuCluster();
  const { cluster, claim, createClaim, deletePod, pod, untilClaim, untilPod } = given;
  const { client } = cluster;
  await createClaim("shared", { count: 2 });
  await client.create(pods, podWith("one", { resourceClaimName: "shared" }));
  await client.create(pods, podWith("two", { resourceClaimName: "shared" }));
  await untilPod("one", isRunning);
  await untilPod("two", isRunning);
  const shared = claim("shared");
  assert.deepEqual(
    [pod("one")?.spec?.nodeName, pod("two")?.spec?.nodeName, shared?.metadata.finalizers],
    ["node-1", "node-1", ["resource.kubernetes.io/delete-protection"]],
  );
  assert.deepEqual(
    shared?.status?.reservedFor?.map(({ resource, name }) => `${resource}/${name}`).toSorted(),
    ["pods/one", "pods/two"],
  );
  assert.deepEqual(shared?.status?.allocation?.nodeSelector?.nodeSelectorTerms, [
    { matchFields: [{ key: "metadata.name", operator: "In", values: ["node-1"] }] },
  ]);
  await createClaim("next");
  await client.create(pods, podWith("three", { resourceClaimName: "next" }));
  await untilPod("three", (three) => whyNot(three) !== "");
  assert.equal(
    whyNot(pod("three")),
    "0/2 nodes are available: 2 cannot allocate all claims. still not schedulable, " +
      "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
  );
  await deletePod("one");
  await deletePod("two");
  await untilPod("three", isRunning);
  await untilClaim("shared", (one) => one?.metadata.finalizers === undefined);
  assert.deepEqual([devicesOf(claim("shared")), devicesOf(claim("next"))], [[], ["gpu-0"]]);
});

test("pods of a template get a device each; one that is left over runs when another ends", async () => {
  await using given = await gpuCluster();
  const { cluster, claim, deletePod, pod, untilPod } = given;
  const { client, informers } = cluster;
  const names = ["one", "two", "three"];
  for (const name of names) {
    await client.create(pods, podWith(name, { resourceClaimTemplateName: "gpu" }));
  }
  assert.deepEqual([pod("one")?.spec?.nodeName, whyNot(pod("one"))], [undefined, ""]);
  await client.create(resourceClaimTemplates, {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaimTemplate",
    metadata: { name: "gpu", namespace },
    spec: { spec: { devices: { requests: [request({})] } } },
  });
  const podInformer = informers.of(pods);
  const running = () => names.filter((name) => isRunning(pod(name)));
  const waiting = () => names.filter((name) => whyNot(pod(name)) !== "");
  await podInformer.until(
    () => running().length === 2 && waiting().length === 1,
    AbortSignal.timeout(60_000),
  );
  const claimOf = (name: string) =>
    claim(pod(name)?.status?.resourceClaimStatuses?.[0]?.resourceClaimName ?? "");
  const chosen = running().flatMap((name) => devicesOf(claimOf(name)));
  assert.deepEqual(chosen.toSorted(), ["gpu-0", "gpu-1"]);
  const [first = ""] = running();
  const [last = ""] = waiting();
  const freed = devicesOf(claimOf(first));
  await deletePod(first);
  await untilPod(last, isRunning);
  assert.deepEqual(devicesOf(claimOf(last)), freed);
});

test("an administrator's claim has devices that others use, and they can still be given away", async () => {
  await using given = await gpuCluster();
  const { cluster, claim, createClaim, untilPod } = given;
  const { client } = cluster;
  await assert.rejects(
    createClaim("monitor", { allocationMode: "All", adminAccess: true }),
    /spec\.devices\.requests\[0\]\.adminAccess: Forbidden: admin access to devices requires the/,
  );
  const value = { metadata: { labels: { "resource.kubernetes.io/admin-access": "true" } } };

  await client.patch(namespaces, { name: namespace }, { kind: "merge", value });
  await createClaim("all", { count: 2 });
  await createClaim("monitor", { allocationMode: "All", adminAccess: true });
  for (const name of ["monitor", "all"]) {
    await client.create(pods, podWith(name, { resourceClaimName: name }));
    await untilPod(name, isRunning);
  }
  const results = claim("monitor")?.status?.allocation?.devices?.results;
  assert.deepEqual(
    results?.map(({ device, adminAccess }) => [device, adminAccess]),
    [
      ["gpu-0", true],
      ["gpu-1", true],
    ],
  );
  assert.deepEqual(devicesOf(claim("all")), ["gpu-0", "gpu-1"]);
});

test("a pod waits for its class and for drivers, and a claim whose device is lost looks for another", async () => {
  await using given = await gpuCluster();
  const { cluster, claim, createClaim, pod, untilPod, untilClaim } = given;
  const { client } = cluster;
  await createClaim("late", { deviceClassName: "late" });
  await client.create(pods, podWith("late", { resourceClaimName: "late" }));
  await untilPod("late", (late) => whyNot(late) !== "");
  assert.equal(
    whyNot(pod("late")),
    "0/2 nodes are available: request gpu: device class late does not exist. " +
      "no new claims to deallocate, " +
      "preemption: 0/2 nodes are available: 2 Preemption is not helpful for scheduling.",
  );
  const conditions = { bindingConditions: ["Attached"], bindingFailureConditions: ["Broken"] };
  const fabric = { name: "fabric-0", ...conditions };
  await client.create(resourceSlices, slice("node-2", "late.example.com", fabric));
  const wanted = `device.driver == "late.example.com"`;
  await client.create(deviceClasses, {
    apiVersion: "resource.k8s.io/v1",
    kind: "DeviceClass",
    metadata: { name: "late" },
    spec: { selectors: [{ cel: { expression: wanted } }] },
  });
  await untilClaim("late", (late) => devicesOf(late).length > 0);
  assert.equal(pod("late")?.spec?.nodeName, undefined);
  const say = (type: string) => {
    const found = claim("late");
    assert.ok(found);
    const condition = {
      type,
      status: "True",
      reason: "Said",
      message: "as told",
      lastTransitionTime: "2026-01-01T00:00:00Z",
    };
    const [result] = found.status?.allocation?.devices?.results ?? [];
    assert.ok(result);
    const device = { driver: result.driver, pool: result.pool, device: result.device };
    const status = { devices: [{ ...device, conditions: [condition] }] };
    const at = { namespace, name: "late" };
    return client.patch(
      resourceClaims,
      at,
      { kind: "merge", value: { status } },
      { subresource: "status" },
    );
  };
  const firstGiven = claim("late")?.status?.allocation?.allocationTimestamp;
  await say("Broken");
  await untilPod("late", (late) => whyNot(late).startsWith("device binding failed"));
  assert.equal(
    whyNot(pod("late")),
    'device binding failed: claim=late, reason=Said, message="as told"',
  );
  // The broken device is given back, and then chosen again.
  await untilClaim("late", (late) => devicesOf(late).length === 0);
  await untilClaim("late", (late) => devicesOf(late).length > 0);
  assert.ok(firstGiven !== undefined);
  await say("Attached");
  await untilPod("late", isRunning);
  assert.deepEqual([nameOf(pod("late") as Pod), pod("late")?.spec?.nodeName], ["late", "node-2"]);
});

test("extended resources of a pod are devices where a class says so; the pod gets a claim for them", async () => {
  await using given = await gpuCluster();
  const { cluster, deletePod, pod, untilPod } = given;
  const { client } = cluster;
  const resource = "example.com/gpu";
  const asking = (name: string): Pod => {
    const resources = { requests: { [resource]: "1" }, limits: { [resource]: "1" } };
    const metadata = { name, namespace };
    const spec = {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: "main", image: "app", resources }],
    };
    return { apiVersion: "v1", kind: "Pod", metadata, spec };
  };
  await client.create(pods, asking("one"));
  await untilPod("one", (one) => whyNot(one) !== "");
  assert.match(whyNot(pod("one")), /^0\/2 nodes are available: 2 Insufficient example.com\/gpu\. /);
  await client.create(deviceClasses, {
    apiVersion: "resource.k8s.io/v1",
    kind: "DeviceClass",
    metadata: { name: "counted" },
    spec: { extendedResourceName: resource },
  });
  await untilPod("one", isRunning);
  await client.create(pods, asking("two"));
  await untilPod("two", isRunning);
  await client.create(pods, asking("three"));
  await untilPod("three", (three) => whyNot(three) !== "");
  assert.match(whyNot(pod("three")), /^0\/2 nodes are available: 2 cannot allocate all claims\. /);
  const told = pod("two")?.status?.extendedResourceClaimStatus;
  assert.deepEqual(told?.requestMappings, [
    { containerName: "main", resourceName: resource, requestName: "container-0-request-0" },
  ]);
  const claimOf = (name: string) =>
    given.claim(pod(name)?.status?.extendedResourceClaimStatus?.resourceClaimName ?? "");
  assert.match(told?.resourceClaimName ?? "", /^two-extended-resources-/);
  assert.deepEqual(
    [devicesOf(claimOf("one")), devicesOf(claimOf("two")), claimOf("two")?.metadata.annotations],
    [["gpu-0"], ["gpu-1"], { "resource.kubernetes.io/extended-resource-claim": "true" }],
  );
  await deletePod("two");
  await untilPod("three", isRunning);
  assert.deepEqual(devicesOf(claimOf("three")), ["gpu-1"]);

  // A claim that an earlier attempt has left behind goes first.
  await deletePod("one");
  const held = await client.create(pods, {
    ...asking("four"),
    spec: {
      ...asking("four").spec,
      schedulingGates: [{ name: "test" }],
      containers: asking("four").spec?.containers ?? [],
    },
  });
  const left = {
    name: "left",
    namespace,
    annotations: { "resource.kubernetes.io/extended-resource-claim": "true" },
    ownerReferences: [controllerRefTo(pods, held)],
  };
  await client.create(resourceClaims, {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: left,
    spec: { devices: { requests: [request({})] } },
  });
  const value = { spec: { schedulingGates: null } };
  await client.patch(pods, { namespace, name: "four" }, { kind: "merge", value });
  await untilPod("four", isRunning);
  assert.deepEqual([given.claim("left"), devicesOf(claimOf("four"))], [undefined, ["gpu-0"]]);
});
