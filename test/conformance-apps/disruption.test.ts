import { deepEqual, equal, rejects } from "node:assert/strict";
import type { Pod, PodDisruptionBudget } from "#api/generated/types.ts";
import { nameOf, type KubeObject } from "#api/meta.ts";
import { customResourceDefinitions, podDisruptionBudgets, pods } from "#api/resources.ts";
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

scenario(
  "a budget over pods of a custom kind asks its scale how many there should be",
  async ({ client, informers, get, until }) => {
    const schema = { type: "object", "x-kubernetes-preserve-unknown-fields": true } as const;
    await client.create(customResourceDefinitions, {
      apiVersion: "apiextensions.k8s.io/v1",
      kind: "CustomResourceDefinition",
      metadata: { name: "fleets.example.org" },
      spec: {
        group: "example.org",
        scope: "Namespaced",
        names: { plural: "fleets", singular: "fleet", kind: "Fleet" },
        versions: [
          {
            name: "v1",
            served: true,
            storage: true,
            schema: { openAPIV3Schema: schema },
            subresources: {
              status: {},
              scale: { specReplicasPath: ".spec.replicas", statusReplicasPath: ".status.replicas" },
            },
          },
        ],
      },
    });
    const definitions = informers.of(customResourceDefinitions);
    await until(() =>
      [...definitions.list()].some(({ status }) =>
        status?.conditions?.some(
          ({ type, status: holds }) => type === "Established" && holds === "True",
        ),
      ),
    );
    const fleets = {
      group: "example.org",
      version: "v1",
      kind: "Fleet",
      resource: "fleets",
      namespaced: true,
    };
    const fleet = {
      apiVersion: "example.org/v1",
      kind: "Fleet",
      metadata: { name: "f", namespace },
      spec: { replicas: 4 },
    };
    const { metadata } = await client.create(fleets, fleet as KubeObject);
    const owner = {
      apiVersion: "example.org/v1",
      kind: "Fleet",
      name: "f",
      uid: metadata.uid ?? "",
      controller: true,
    };
    for (const name of ["a", "b", "c"]) {
      const own = pod(name);
      await client.create(pods, {
        ...own,
        metadata: { ...own.metadata, ownerReferences: [owner] },
      });
    }
    const wanted = budget(1);
    const spec = { maxUnavailable: 2, selector: selectorOf("web") };
    await client.create(podDisruptionBudgets, { ...wanted, spec });
    await until(() => get(podDisruptionBudgets, "budget")?.status?.currentHealthy === 3);
    const { status } = get(podDisruptionBudgets, "budget") ?? {};
    deepEqual(
      [status?.expectedPods, status?.desiredHealthy, status?.disruptionsAllowed],
      [4, 2, 1],
    );
  },
);
