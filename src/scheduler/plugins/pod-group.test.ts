import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "#api/generated/types.ts";
import { pods } from "#api/resources.ts";
import { addNode, readyNode, startCluster } from "#controllers/started-cluster.test.ts";
import { createManualClock } from "#reconcile/manual-clock.ts";
import { placedPod } from "#scheduler/node-state.ts";
import { createPodGroup } from "#scheduler/plugins/pod-group.ts";

const member = (name: string, nodeName?: string): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    name,
    uid: name,
    namespace: "default",
    labels: { "scheduling.kogge.dev/pod-group": "train" },
    annotations: { "scheduling.kogge.dev/pod-group-min": "3" },
  },
  spec: { containers: [], ...(nodeName && { nodeName }) },
});

test("PodGroup binds none of a group before enough have a node, and gives all up after a minute", async () => {
  const clock = createManualClock();
  let known = ["a", "b", "c", "d"].map((name) => member(name));
  const plugin = createPodGroup({ clock, podsOf: () => known });
  const said: string[] = [];
  const permit = (name: string): void => {
    const pod = member(name);
    void plugin.permit?.({ pod, placed: placedPod(pod) }, "node")?.then((rejection) => {
      if (rejection) plugin.unreserve?.({ pod, placed: placedPod(pod) }, "node");
      said.push(`${name}: ${rejection?.reasons.join() ?? "goes"}`);
    });
  };
  const settled = () => new Promise((resolve) => setImmediate(resolve));
  permit("a");
  permit("b");
  await settled();
  deepEqual(said, []);
  clock.advance(60_000);
  await settled();
  const late = 'pod group "default/train" has 2 of 3 pods placed after 60 s';
  deepEqual(said.splice(0), [`a: ${late}`, `b: ${late}`]);
  for (const name of ["a", "b", "c"]) permit(name);
  await settled();
  deepEqual(said.splice(0), ["a: goes", "b: goes", "c: goes"]);
  known = known.map((pod) => member(pod.metadata.name ?? "", "node"));
  permit("d");
  await settled();
  deepEqual(said, ["d: goes"]);
});

test("a group that has no room is bound as a whole once there is", async () => {
  await using cluster = await startCluster(1);
  const { client, informers, until } = cluster;
  const resources = { requests: { cpu: "2" } };
  for (const name of ["a", "b", "c"]) {
    const { metadata, ...rest } = member(name);
    const { uid: _uid, ...named } = metadata;
    const spec = { containers: [{ name: "c", image: "i", resources }] };
    await client.create(pods, { ...rest, metadata: named, spec });
  }
  const all = () => [...informers.of(pods).list("default")];
  const hasNoRoom = ({ status }: Pod): boolean =>
    status?.conditions?.some(({ message }) => message?.includes("Insufficient cpu")) ?? false;
  await until(() => all().some(hasNoRoom));
  deepEqual(
    all().map(({ spec }) => spec?.nodeName),
    [undefined, undefined, undefined],
  );
  await addNode(client, readyNode("more"));
  await until(() => all().every(({ spec }) => spec?.nodeName));
});
