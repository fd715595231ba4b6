import assert from "node:assert/strict";
import { test } from "node:test";
import type { Node, Pod } from "#api/generated/types.ts";
import { deviceClasses, resourceClaims } from "#api/resources.ts";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { seededRandom } from "#base/random.ts";
import type { Client } from "#client/client.ts";
import { publishDevices } from "#agent/simulated/publish-devices.ts";
import { createCluster } from "#main/testing.ts";
import { DeviceInventory } from "#scheduler/devices/device-inventory.ts";
import type { CycleState, PendingPod } from "#scheduler/framework.ts";
import { NodeState, placedPod } from "#scheduler/node-state.ts";
import { createDynamicResources } from "#scheduler/plugins/dynamic-resources.ts";

const namespace = "default";

function podFor(claim: string): PendingPod {
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `pod-${claim}`, namespace, uid: `uid-${claim}` },
    spec: { containers: [], resourceClaims: [{ name: "gpu", resourceClaimName: claim }] },
  };
  return { pod, placed: placedPod(pod) };
}

test("devices promised to a pod are nobody else's until it cannot be bound, and then they are the next one's", async () => {
  await using cluster = await createCluster({ nodes: 1 });
  const { client, informers } = cluster;
  await client.create(deviceClasses, {
    apiVersion: "resource.k8s.io/v1",
    kind: "DeviceClass",
    metadata: { name: "gpu" },
    spec: {},
  });
  await publishDevices(client, "node-1", [{ driver: "d", devices: [{ name: "only" }] }]);
  for (const name of ["one", "two"]) {
    await client.create(resourceClaims, {
      apiVersion: "resource.k8s.io/v1",
      kind: "ResourceClaim",
      metadata: { name, namespace },
      spec: { devices: { requests: [{ name: "r", exactly: { deviceClassName: "gpu" } }] } },
    });
  }
  const devices = new DeviceInventory(informers);
  await devices.synced;
  const events: boolean[] = [];
  using _following = devices.follow((event) => {
    if (event.kind === "deviceClaimChanged") events.push(event.isFreed);
  });
  let isRefused = true;
  const refusing: Client = {
    ...client,
    update: (resource, object, options) =>
      isRefused && options?.subresource === "status"
        ? Promise.reject(new Error("the API server is away"))
        : client.update(resource, object, options),
  };
  const { signal } = new AbortController();
  const plugin = createDynamicResources({
    client: refusing,
    clock: systemClock,
    random: seededRandom(1),
    log: silentLog,
    recorder: { record: () => {} },
    devices,
    signal,
  });
  const object: Node = { apiVersion: "v1", kind: "Node", metadata: { name: "node-1" } };
  const node = new NodeState(object, { addPod: () => {}, removePod: () => {} });
  const place = (pending: PendingPod) => {
    const state: CycleState = new Map();
    const whole = plugin.preFilter?.(pending, state);
    const rejected = whole ?? plugin.filter?.(pending, node, state);
    if (rejected === undefined) plugin.reserve?.(pending, "node-1", state);
    return { rejected, state };
  };
  const [one, two] = [podFor("one"), podFor("two")];
  const { state } = place(one);
  assert.deepEqual(place(two).rejected, {
    reasons: ["cannot allocate all claims"],
    unresolvable: true,
  });
  assert.deepEqual(place(podFor("one")).rejected, {
    reasons: ["resource claim default/one is in the process of being allocated"],
    unresolvable: true,
  });
  const binding = plugin.preBind?.(one, { nodeName: "node-1", state, signal });
  await assert.rejects(binding ?? Promise.resolve(), /the API server is away/);
  events.length = 0;
  plugin.unreserve?.(one, "node-1");
  assert.deepEqual(events, [true]);
  isRefused = false;
  const second = place(two);
  assert.equal(second.rejected, undefined);
  await plugin.preBind?.(two, { nodeName: "node-1", state: second.state, signal });
  const written = await client.get(resourceClaims, { namespace, name: "two" });
  assert.deepEqual(
    [written.status?.allocation?.devices?.results?.[0]?.device, written.status?.reservedFor],
    ["only", [{ resource: "pods", name: "pod-two", uid: "uid-two" }]],
  );
});
