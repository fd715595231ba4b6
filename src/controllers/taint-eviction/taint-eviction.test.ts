import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { Pod, Taint, Toleration } from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { events, nodes, pods } from "#api/resources.ts";
import { startTimedCluster } from "#controllers/taint-eviction/timed-cluster.test.ts";

const namespace = "default";

const podWith = (name: string, ...tolerations: Toleration[]): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace },
  spec: { tolerations, containers: [{ name: "main", image: "app" }] },
});

test("a node's taint without a time counts from when it was seen, and calls its evictions off when it goes", async () => {
  await using timed = await startTimedCluster();
  const { clock, cluster } = timed;
  const { client, informers, until } = cluster;
  const patient: Toleration = { operator: "Exists", effect: "NoExecute", tolerationSeconds: 20 };
  await client.create(pods, podWith("patient", patient));
  await client.create(pods, podWith("first"));
  await client.create(pods, podWith("second", { key: "first", operator: "Exists" }));
  const running = () =>
    [...informers.of(pods).list(namespace)]
      .filter(({ status }) => status?.phase === "Running")
      .map(nameOf)
      .toSorted();
  const told = () =>
    [...informers.of(events).list(namespace)]
      .filter(({ reason }) => reason === "TaintManagerEviction")
      .map(({ message }) => message ?? "")
      .toSorted();
  const taint = (...taints: Taint[]) =>
    client.patch(nodes, { name: "node-0" }, { kind: "merge", value: { spec: { taints } } });
  await until(() => running().length === 3);
  timed.stopTime();

  await taint({ key: "first", effect: "NoExecute" });
  await until(() => running().length === 2);
  await taint();
  await until(() => told().length === 2);
  clock.advance(5000);
  await taint({ key: "second", effect: "NoExecute" });
  await until(() => running().length === 1);
  clock.advance(19_000);
  deepEqual(running(), ["patient"]);
  clock.advance(1000);
  await until(() => running().length === 0 && told().length === 4);
  deepEqual(told(), [
    "Cancelling deletion of Pod default/patient",
    "Marking for deletion Pod default/first",
    "Marking for deletion Pod default/patient",
    "Marking for deletion Pod default/second",
  ]);
});
