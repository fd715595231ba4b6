import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type { CronJob, PodDisruptionBudget, ReplicationController } from "#api/generated/types.ts";
import { nameOf, type KubeObject } from "#api/meta.ts";
import {
  cronJobs,
  events,
  jobs,
  podDisruptionBudgets,
  pods,
  replicationControllers,
} from "#api/resources.ts";
import { startCluster } from "#controllers/started-cluster.test.ts";

const at = { namespace: "default", name: "web" };
const names = (objects: Iterable<KubeObject>): string[] => [...objects].map(nameOf).toSorted();

const web = (replicas: number): ReplicationController => ({
  apiVersion: "v1",
  kind: "ReplicationController",
  metadata: at,
  spec: {
    replicas,
    template: {
      metadata: { labels: { app: "web" } },
      spec: { containers: [{ name: "c", image: "v1" }] },
    },
  },
});

const budget: PodDisruptionBudget = {
  apiVersion: "policy/v1",
  kind: "PodDisruptionBudget",
  metadata: at,
  spec: { maxUnavailable: 1, selector: { matchLabels: { app: "web" } } },
};

test("a ReplicationController has its pods, and a budget lets one of them be evicted at a time", async () => {
  await using cluster = await startCluster();
  const { client, informers, until } = cluster;
  const status = () => informers.of(podDisruptionBudgets).get(at)?.status;
  await client.create(replicationControllers, web(3));
  await client.create(podDisruptionBudgets, budget);
  await until(() => status()?.disruptionsAllowed === 1);
  const { disruptedPods: _none, conditions, ...numbers } = status() ?? {};
  deepEqual(
    [numbers, conditions?.map(({ type, reason }) => [type, reason])],
    [
      {
        currentHealthy: 3,
        desiredHealthy: 2,
        disruptionsAllowed: 1,
        expectedPods: 3,
        observedGeneration: 1,
      },
      [["DisruptionAllowed", "SufficientPods"]],
    ],
  );
  const [first = ""] = names(informers.of(pods).list("default"));
  const eviction = {
    apiVersion: "policy/v1",
    kind: "Eviction",
    metadata: { name: first, namespace: "default" },
  };
  const where = { namespace: "default", name: first, subresource: "eviction" };
  await client.post(pods, where, eviction);
  await until(() => {
    const there = names(informers.of(pods).list("default"));
    return !there.includes(first) && there.length === 3 && status()?.disruptionsAllowed === 1;
  });
  const { readyReplicas } = informers.of(replicationControllers).get(at)?.status ?? {};
  equal(readyReplicas, 3);
});

test("a CronJob starts Jobs at its times and remembers the last success", async () => {
  await using cluster = await startCluster();
  const { client, informers, until } = cluster;
  const cronJob: CronJob = {
    apiVersion: "batch/v1",
    kind: "CronJob",
    metadata: at,
    spec: {
      schedule: "@every 1s",
      successfulJobsHistoryLimit: 1,
      jobTemplate: {
        metadata: { labels: { from: "web" } },
        spec: {
          template: {
            spec: { restartPolicy: "Never", containers: [{ name: "c", image: "v1" }] },
          },
        },
      },
    },
  };
  await client.create(cronJobs, cronJob);
  const informer = informers.of(cronJobs);
  await until(() => informer.get(at)?.status?.lastSuccessfulTime !== undefined);
  const [job] = [...informers.of(jobs).list("default")];
  deepEqual(
    [job?.metadata.labels?.["from"], job?.metadata.ownerReferences?.[0]?.name],
    ["web", "web"],
  );
  const reasons = async (): Promise<Set<string | undefined>> => {
    const { items } = await client.list(events, { namespace: "default" });
    return new Set(
      items.filter((each) => each.involvedObject.kind === "CronJob").map((each) => each.reason),
    );
  };
  await until(() => (informer.get(at)?.status?.active ?? []).length === 0);
  deepEqual((await reasons()).has("SuccessfulCreate"), true);
});
