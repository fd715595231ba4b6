import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { pods, priorityClasses } from "#api/resources.ts";
import { startCluster } from "#controllers/started-cluster.test.ts";

const pod = (name: string, cpu: string, priorityClassName?: string): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace: "default" },
  spec: {
    ...(priorityClassName && { priorityClassName }),
    terminationGracePeriodSeconds: 0,
    containers: [{ name: "c", image: "v1", resources: { requests: { cpu } } }],
  },
});

test("a pod of higher priority takes the place of others and is nominated for it meanwhile", async () => {
  await using cluster = await startCluster(1);
  const { client, informers, until } = cluster;
  await client.create(priorityClasses, {
    apiVersion: "scheduling.k8s.io/v1",
    kind: "PriorityClass",
    metadata: { name: "high" },
    value: 1000,
  });
  const informer = informers.of(pods);
  const nominated = new Set<string>();
  informer.onChange(({ object }) => {
    const { nominatedNodeName } = object.status ?? {};
    if (nominatedNodeName) nominated.add(`${nameOf(object)} on ${nominatedNodeName}`);
  });
  await client.create(pods, pod("one", "2"));
  await client.create(pods, pod("two", "2"));
  await until(() =>
    [...informer.list("default")].every(({ status }) => status?.phase === "Running"),
  );
  await client.create(pods, pod("vip", "3", "high"));
  const vip = () => informer.get({ namespace: "default", name: "vip" });
  await until(() => vip()?.status?.phase === "Running");
  deepEqual(
    [[...nominated], [...informer.list("default")].map(nameOf)],
    [["vip on node-0"], ["vip"]],
  );
});
