import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type { V2HorizontalPodAutoscaler } from "#api/generated/types.ts";
import { deployments, events, horizontalPodAutoscalers } from "#api/resources.ts";
import { createCluster } from "#main/testing.ts";

const at = { namespace: "default", name: "web" };

const autoscaler: V2HorizontalPodAutoscaler = {
  apiVersion: "autoscaling/v2",
  kind: "HorizontalPodAutoscaler",
  metadata: at,
  spec: {
    scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "web" },
    minReplicas: 1,
    maxReplicas: 5,
    metrics: [
      {
        type: "Resource",
        resource: { name: "memory", target: { type: "Utilization", averageUtilization: 50 } },
      },
    ],
  },
};

test("an autoscaler scales a Deployment by what its pods use", async () => {
  await using cluster = await createCluster({ nodes: 2 });
  const { client, informers } = cluster;
  const signal = AbortSignal.timeout(20_000);
  await client.create(deployments, {
    apiVersion: "apps/v1",
    kind: "Deployment",
    metadata: at,
    spec: {
      replicas: 1,
      selector: { matchLabels: { app: "web" } },
      template: {
        metadata: {
          labels: { app: "web" },
          annotations: { "simulated.kogge.dev/memory": "150Mi" },
        },
        spec: {
          containers: [{ name: "c", image: "i", resources: { requests: { memory: "100Mi" } } }],
        },
      },
    },
  });
  const scaled = informers.of(deployments);
  await scaled.until(() => scaled.get(at)?.status?.readyReplicas === 1, signal);
  await client.create(horizontalPodAutoscalers, autoscaler);
  await scaled.until(() => scaled.get(at)?.status?.readyReplicas === 3, signal);
  const seen = informers.of(horizontalPodAutoscalers);
  await seen.until(() => seen.get(at)?.status?.desiredReplicas === 3, signal);
  const { status } = await client.get(horizontalPodAutoscalers, at);
  deepEqual(
    status?.conditions?.map(({ type, status: holds, reason }) => [type, holds, reason]),
    [
      ["AbleToScale", "True", "SucceededRescale"],
      ["ScalingActive", "True", "ValidMetricFound"],
      ["ScalingLimited", "False", "DesiredWithinRange"],
    ],
  );
  deepEqual(status?.currentMetrics?.[0]?.resource?.current, {
    averageUtilization: 150,
    averageValue: "150Mi",
  });
  const told = informers.of(events);
  await told.synced;
  const rescaled = () =>
    [...told.list("default")].find(({ reason }) => reason === "SuccessfulRescale");
  await told.until(() => rescaled() !== undefined, signal);
  equal(
    rescaled()?.message,
    "New size: 3; reason: memory resource utilization (percentage of request) above target",
  );
});
