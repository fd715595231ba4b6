import { deepEqual, ok } from "node:assert/strict";
import { test } from "node:test";
import type { Deployment, Lease, Pod } from "#api/generated/types.ts";
import { deployments, leases, nodes, pods } from "#api/resources.ts";
import { rfc3339Micro } from "#base/clock.ts";
import type { Client } from "#client/client.ts";
import { startCluster } from "#controllers/started-cluster.test.ts";
import { createManualClock } from "#reconcile/manual-clock.ts";

const web: Deployment = {
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "default" },
  spec: {
    replicas: 4,
    selector: { matchLabels: { app: "web" } },
    template: {
      metadata: { labels: { app: "web" } },
      spec: {
        containers: [{ name: "c", image: "v1" }],
        tolerations: [
          {
            key: "node.kubernetes.io/unreachable",
            operator: "Exists",
            effect: "NoExecute",
            tolerationSeconds: 30,
          },
        ],
      },
    },
  },
};

test("a node that falls silent is tainted, its pods are replaced elsewhere, and go with it", async () => {
  const clock = createManualClock(Date.parse("2026-01-01T00:00:00Z"));
  const silent = new Set<string>();
  const tick = async (client: Client): Promise<void> => {
    clock.advance(1000);
    for (const name of ["node-0", "node-1"].filter((each) => !silent.has(each))) {
      const lastHeartbeatTime = new Date(clock.now()).toISOString();
      const value = {
        status: { conditions: [{ type: "Ready", status: "True", lastHeartbeatTime }] },
      };
      const options = { subresource: "status" };
      await client.patch(nodes, { name }, { kind: "strategic", value }, options);
    }
  };
  await using cluster = await startCluster(2, { clock, tick, silent });
  const { client, informers, until } = cluster;
  const on = (name: string): Pod[] =>
    [...informers.of(pods).list("default")].filter(({ spec }) => spec?.nodeName === name);
  const available = () =>
    informers.of(deployments).get({ namespace: "default", name: "web" })?.status?.availableReplicas;
  await client.create(deployments, web);
  await until(() => available() === 4 && on("node-0").length > 0);

  silent.add("node-0");
  const silentSinceMs = clock.now();
  await until(() => on("node-0").every(({ metadata }) => metadata.deletionTimestamp !== undefined));
  await until(() => on("node-1").length === 4 && available() === 4);
  const node = informers.of(nodes).get({ name: "node-0" });
  const ready = node?.status?.conditions?.find(({ type }) => type === "Ready");
  const reasons = on("node-0").map(
    ({ status }) => status?.conditions?.find(({ type }) => type === "DisruptionTarget")?.reason,
  );
  deepEqual(
    {
      ready: [ready?.status, ready?.reason],
      taints: node?.spec?.taints?.map(({ key, effect }) => `${key}:${effect}`).toSorted(),
      reasons: [...new Set(reasons)],
      waited: clock.now() - silentSinceMs >= 80_000,
    },
    {
      ready: ["Unknown", "NodeStatusUnknown"],
      taints: [
        "node.kubernetes.io/unreachable:NoExecute",
        "node.kubernetes.io/unreachable:NoSchedule",
      ],
      reasons: ["DeletionByTaintManager"],
      waited: true,
    },
  );
  // Nobody is there to say that they ended: they go when the node is given up.
  await client.delete(nodes, { name: "node-0" });
  await until(() => on("node-0").length === 0);
});

test("silence is counted from the last lease, not from when somebody looked", async () => {
  const clock = createManualClock(Date.parse("2026-01-01T00:00:00Z"));
  const startMs = clock.now();
  const lastMs = startMs + 5_000;
  const name = "node-0";
  const at = { name, namespace: "kube-node-lease" };
  const renewed: Lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: at };
  let held: Lease | undefined;
  const tick = async (client: Client): Promise<void> => {
    clock.advance(1_000);
    if (clock.now() > lastMs) return;
    const renewTime = rfc3339Micro(clock.now());
    const next = { ...(held ?? renewed), spec: { holderIdentity: name, renewTime } };
    held = held ? await client.update(leases, next) : await client.create(leases, next);
  };
  await using cluster = await startCluster(1, { clock, tick, silent: new Set([name]) });
  const { informers, until } = cluster;
  const ready = () =>
    informers
      .of(nodes)
      .get({ name })
      ?.status?.conditions?.find(({ type }) => type === "Ready");
  await until(() => ready()?.status === "Unknown");
  const silentMs = Date.parse(ready()?.lastTransitionTime ?? "") - lastMs;
  ok(silentMs >= 50_000 && silentMs < 75_000, `after ${silentMs} ms`);
});
