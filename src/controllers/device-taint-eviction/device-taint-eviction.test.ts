import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type {
  Device,
  DeviceTaint,
  DeviceToleration,
  Pod,
  PodResourceClaim,
  ResourceRequirements,
  ResourceSlice,
} from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { deviceClasses, events, pods, resourceClaims, resourceSlices } from "#api/resources.ts";
import { rfc3339 } from "#base/clock.ts";
import type { Informers } from "#client/informers.ts";
import type { Client } from "#client/client.ts";
import type { Cluster } from "#controllers/started-cluster.test.ts";
import {
  startTimedCluster,
  type TimedCluster,
} from "#controllers/taint-eviction/timed-cluster.test.ts";

const namespace = "default";
const driver = "gpu.example.com";
const second = 1000;

/** A cluster whose one node has these devices. */
async function deviceCluster(devices: readonly string[]): Promise<TimedCluster> {
  const timed = await startTimedCluster();
  const { client } = timed.cluster;
  await client.create(deviceClasses, {
    apiVersion: "resource.k8s.io/v1",
    kind: "DeviceClass",
    metadata: { name: "gpu" },
    spec: { extendedResourceName: "example.com/gpu" },
  });
  await client.create(resourceSlices, slice(devices.map((name) => ({ name }))));
  return timed;
}

function slice(devices: readonly Device[], generation = 1): ResourceSlice {
  return {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceSlice",
    metadata: { name: `slice-${generation}` },
    spec: {
      driver,
      nodeName: "node-0",
      pool: { name: "node-0", generation, resourceSliceCount: 1 },
      devices,
    },
  };
}

async function publish(client: Client, devices: readonly Device[]): Promise<void> {
  const { spec } = slice(devices);
  await client.patch(resourceSlices, { name: "slice-1" }, { kind: "merge", value: { spec } });
}

/** A running pod with the device of a claim of its own, both of this name. */
async function runWithClaim(
  { client, informers, until }: Cluster,
  name: string,
  tolerations: readonly DeviceToleration[] = [],
): Promise<void> {
  await client.create(resourceClaims, {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: { name, namespace },
    spec: {
      devices: { requests: [{ name: "gpu", exactly: { deviceClassName: "gpu", tolerations } }] },
    },
  });
  const used = [{ name: "gpu", resourceClaimName: name }];
  await client.create(pods, podAsking(name, { claims: [{ name: "gpu" }] }, used));
  await until(() => isRunning(podOf(informers, name)));
}

function podAsking(
  name: string,
  resources: ResourceRequirements,
  claims: readonly PodResourceClaim[] = [],
): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace },
    spec: { resourceClaims: claims, containers: [{ name: "main", image: "app", resources }] },
  };
}

function isRunning(pod: Pod | undefined): boolean {
  return pod?.status?.phase === "Running";
}

function podOf(informers: Informers, name: string): Pod | undefined {
  return informers.of(pods).get({ namespace, name });
}

/** What the pods are told about their devices' taints. */
function told(informers: Informers): readonly string[] {
  return [...informers.of(events).list(namespace)]
    .filter(({ reason }) => reason === "DeviceTaintManagerEviction")
    .map(({ involvedObject, message }) => `${involvedObject.name}: ${message}`)
    .toSorted();
}

/** What deleted pods say of why, as watched from now on: they are gone at once. */
function watchDisruptions(informers: Informers): ReadonlyMap<string, unknown> {
  const seen = new Map<string, unknown>();
  informers.of(pods).onChange(({ kind, object }) => {
    const found = object.status?.conditions?.find(({ type }) => type === "DisruptionTarget");
    if (kind === "deleted") seen.set(nameOf(object), found && [found.reason, found.message]);
  });
  return seen;
}

const sick = { key: "sick", effect: "NoExecute" };
const toleratingFor = (tolerationSeconds: number): DeviceToleration => ({
  key: "sick",
  operator: "Exists",
  effect: "NoExecute",
  tolerationSeconds,
});
const disrupted = [
  "DeletionByDeviceTaintManager",
  "Device Taint manager: deleting due to NoExecute taint",
];

const tainted = (name: string, ...taints: readonly DeviceTaint[]): Device => ({ name, taints });

test("a device's NoExecute taint drives out the pods that have it, each when its time is over", async () => {
  const names = ["gpu-0", "gpu-1", "gpu-2", "gpu-3"];
  await using given = await deviceCluster(names);
  const { clock, cluster, stopTime } = given;
  const { client, informers, until } = cluster;
  await runWithClaim(cluster, "at-once");
  await runWithClaim(cluster, "in-a-while", [toleratingFor(30)]);
  await runWithClaim(cluster, "never", [{ key: "sick", operator: "Exists" }]);
  await client.create(pods, podAsking("extended", { limits: { "example.com/gpu": "1" } }));
  await until(() => isRunning(podOf(informers, "extended")));
  stopTime();
  const gone = watchDisruptions(informers);
  await publish(
    client,
    names.map((name) => tainted(name, sick)),
  );
  await until(() => gone.size === 2);
  clock.advance(29 * second);
  // The taint that the driver writes anew is as old as it was, and gives no more time.
  await publish(
    client,
    names.map((name) => tainted(name, sick, { key: "other", effect: "NoSchedule" })),
  );
  deepEqual([...gone.keys()].toSorted(), ["at-once", "extended"]);
  clock.advance(1 * second);
  await until(() => gone.size === 3);
  deepEqual(Object.fromEntries(gone), {
    "at-once": disrupted,
    extended: disrupted,
    "in-a-while": disrupted,
  });
  await until(() => told(informers).length === 3);
  deepEqual(told(informers), [
    "at-once: Marking for deletion",
    "extended: Marking for deletion",
    "in-a-while: Marking for deletion",
  ]);
  equal(isRunning(podOf(informers, "never")), true);
});

test("a taint that goes and a pod that ends call the eviction off; time counts from the taint's own", async () => {
  await using given = await deviceCluster(["gpu-0", "gpu-1", "gpu-2"]);
  const { clock, cluster, stopTime } = given;
  const { client, informers, until } = cluster;
  for (const name of ["spared", "ended"]) await runWithClaim(cluster, name, [toleratingFor(30)]);
  await runWithClaim(cluster, "marker");
  stopTime();
  const gone = watchDisruptions(informers);
  const devices = ["gpu-0", "gpu-1", "gpu-2"].map((name) => tainted(name, sick));
  await publish(client, devices);
  // Its turn comes after the others', which wait by now.
  await until(() => gone.has("marker"));
  const ended = { kind: "merge" as const, value: { status: { phase: "Succeeded" } } };
  await client.patch(pods, { namespace, name: "ended" }, ended, { subresource: "status" });
  await until(() => told(informers).includes("ended: Cancelling deletion"));
  // The pool as it is published anew has no taints: what is left of the old one no longer counts.
  await client.create(resourceSlices, slice([{ name: "gpu-0" }, { name: "gpu-1" }], 2));
  await until(() => told(informers).includes("spared: Cancelling deletion"));
  clock.advance(20 * second);
  const past = { ...sick, timeAdded: rfc3339(clock.now() - 25 * second) };
  const { spec } = slice([tainted("gpu-0", past)], 2);
  await client.patch(resourceSlices, { name: "slice-2" }, { kind: "merge", value: { spec } });
  deepEqual([...gone.keys()], ["marker"]);
  clock.advance(5 * second);
  await until(() => gone.has("spared"));
  await until(() => told(informers).length === 4);
  deepEqual(told(informers), [
    "ended: Cancelling deletion",
    "marker: Marking for deletion",
    "spared: Cancelling deletion",
    "spared: Marking for deletion",
  ]);
  deepEqual([gone.has("ended"), podOf(informers, "ended")?.status?.phase], [false, "Succeeded"]);
});
