import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { Node, Pod } from "#api/generated/types.ts";
import { ClusterState } from "#scheduler/cluster-state.ts";
import type { CycleState } from "#scheduler/framework.ts";
import { placedPod } from "#scheduler/node-state.ts";
import { createImageLocality } from "#scheduler/plugins/image-locality.ts";

const mebi = 1024 * 1024;

const node = (name: string, images: Readonly<Record<string, number>>): Node => ({
  apiVersion: "v1",
  kind: "Node",
  metadata: { name },
  status: {
    images: Object.entries(images).map(([image, mebis]) => ({
      names: [image],
      sizeBytes: mebis * mebi,
    })),
  },
});

const pod = (...images: readonly string[]): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", namespace: "a", uid: "p" },
  spec: { containers: images.map((image, at) => ({ name: `c${at}`, image })) },
});

function scores(cluster: ClusterState, wanted: Pod): readonly number[] | "skip" {
  const { images } = cluster;
  const plugin = createImageLocality({ images, nodeCount: () => cluster.nodes.length });
  const state: CycleState = new Map();
  const pending = { pod: wanted, placed: placedPod(wanted) };
  if (plugin.preScore?.(pending, cluster.nodes, state) === "skip") return "skip";
  return cluster.nodes.map((each) => plugin.score?.(pending, each, state) ?? 0);
}

function clusterOf(...nodes: readonly Node[]): ClusterState {
  const cluster = new ClusterState();
  for (const each of nodes) cluster.putNode(each);
  return cluster;
}

test("ImageLocality counts an image for the share of nodes that have it", () => {
  const cluster = clusterOf(
    node("a", { "web:1": 400, "tool:latest": 800 }),
    node("b", { "web:1": 400 }),
    node("c", {}),
    node("d", {}),
  );
  // web:1 is on half of the nodes: 200 MiB of the 23 to 1,000 that count.
  deepEqual(scores(cluster, pod("web:1")), [18, 18, 0, 0]);
  // Of two containers twice as much may count; a name without a tag means the latest.
  deepEqual(scores(cluster, pod("web:1", "tool")), [19, 8, 0, 0]);
  deepEqual(scores(cluster, pod("other:1")), "skip");
});

test("ImageLocality knows of images that come and go with their nodes", () => {
  const cluster = clusterOf(node("a", { "web:1": 400 }), node("b", {}));
  deepEqual(scores(cluster, pod("web:1")), [18, 0]);
  cluster.putNode(node("b", { "web:1": 400 }));
  deepEqual(scores(cluster, pod("web:1")), [38, 38]);
  cluster.removeNode("a");
  deepEqual(scores(cluster, pod("web:1")), [38]);
  cluster.putNode(node("b", {}));
  deepEqual(scores(cluster, pod("web:1")), "skip");
});
