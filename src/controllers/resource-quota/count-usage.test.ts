import assert from "node:assert/strict";
import { test } from "node:test";
import type { ResourceQuota } from "#api/generated/types.ts";
import { countedIn, countUsage } from "#controllers/resource-quota/count-usage.ts";

const hard = {
  pods: "10",
  "limits.cpu": "4",
  "requests.storage": "1Gi",
  "count/widgets.example.com": "3",
  "example.com/unknown": "1",
};
const quota: ResourceQuota = {
  apiVersion: "v1",
  kind: "ResourceQuota",
  metadata: { name: "q", namespace: "n" },
  spec: { hard, scopes: [] },
};

test("countedIn() names the resources behind a quota's names", () => {
  assert.deepEqual(countedIn(quota), [
    { group: "", resource: "pods" },
    { group: "", resource: "persistentvolumeclaims" },
    { group: "example.com", resource: "widgets" },
  ]);
});

test("countUsage() counts pods that run, with init containers and sidecars; what has nothing is zero", () => {
  const limits = (cpu: string) => ({ resources: { limits: { cpu } } });
  const pod = (phase: string) => ({
    metadata: {},
    spec: {
      containers: [limits("500m"), limits("250m")],
      initContainers: [{ restartPolicy: "Always", ...limits("100m") }, limits("2")],
    },
    status: { phase },
  });
  const [pods = { group: "", resource: "" }, claims = pods, widgets = pods] = countedIn(quota);
  const countables = [
    { counted: pods, objects: [pod("Running"), pod("Succeeded"), pod("Pending")] },
    { counted: claims, objects: [] },
    { counted: widgets, objects: [{ metadata: {} }, { metadata: {} }] },
  ];
  assert.deepEqual(countUsage(quota, countables, 0), {
    hard,
    used: {
      "count/widgets.example.com": "2",
      "limits.cpu": "4200m",
      pods: "2",
      "requests.storage": "0",
    },
  });
});
