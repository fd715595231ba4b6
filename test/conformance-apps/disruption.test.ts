import { deepEqual, equal, rejects } from "node:assert/strict";
import type { Pod, PodDisruptionBudget } from "#api/generated/types.ts";
import { nameOf, type KubeObject } from "#api/meta.ts";
import { podDisruptionBudgets, pods } from "#api/resources.ts";
import { alive, scenario, selectorOf } from "#test/conformance-apps/scenario.ts";

const namespace = "conformance";
const at = { name: "budget", namespace };

const budget = (minAvailable: number | string): PodDisruptionBudget => ({
  apiVersion: "policy/v1",
  kind: "PodDisruptionBudget",
  metadata: { ...at, labels: { stage: "made" } },
  spec: { minAvailable, selector: selectorOf("web") },
});

const pod = (name: string): Pod => ({
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name, namespace, labels: { app: "web" } },
  spec: { terminationGracePeriodSeconds: 0, containers: [{ name: "main", image: "v1" }] },
});

scenario("an eviction waits until the budget allows it", async (scene) => {
  const { client, get, until } = scene;
  for (const name of ["a", "b"]) await client.create(pods, pod(name));
  await client.create(podDisruptionBudgets, budget(2));
  const status = () => get(podDisruptionBudgets, "budget")?.status;
  await until(() => status()?.currentHealthy === 2);
  equal(status()?.disruptionsAllowed, 0);
  const evict = (name: string) => {
    const body = { apiVersion: "policy/v1", kind: "Eviction", metadata: { name, namespace } };
    return client.post(pods, { name, namespace, subresource: "eviction" }, body as KubeObject);
  };
  await rejects(evict("a"), /Cannot evict pod as it would violate the pod's disruption budget/);
  const value = { spec: { minAvailable: 1 } };
  await client.patch(podDisruptionBudgets, at, { kind: "merge", value });
  await until(() => status()?.disruptionsAllowed === 1);
  await evict("a");
  await until(() => alive(scene.pods()).map(nameOf).join() === "b");
  await until(() => status()?.disruptionsAllowed === 0);
  await rejects(evict("b"), /disruption budget/);
});

scenario(
  "budgets are made, told of, patched and deleted together",
  async ({ client, get, until }) => {
    await client.create(podDisruptionBudgets, budget("1%"));
    await until(() => get(podDisruptionBudgets, "budget")?.status?.observedGeneration === 1);
    const value = { spec: { minAvailable: null, maxUnavailable: 2 } };
    const patched = await client.patch(podDisruptionBudgets, at, { kind: "merge", value });
    deepEqual(patched.spec?.maxUnavailable, 2);
    const disrupted = { status: { disruptedPods: { gone: "2026-01-01T00:00:00Z" } } };
    const told = await client.patch(
      podDisruptionBudgets,
      at,
      { kind: "merge", value: disrupted },
      { subresource: "status" },
    );
    deepEqual(told.status?.disruptedPods, { gone: "2026-01-01T00:00:00Z" });
    await client.deleteCollection(podDisruptionBudgets, { namespace, labelSelector: "stage=made" });
    await until(() => get(podDisruptionBudgets, "budget") === undefined);
  },
);
