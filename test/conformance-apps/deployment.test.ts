import { deepEqual, equal, ok } from "node:assert/strict";
import type { Deployment, Scale } from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { deployments, pods, replicaSets } from "#api/resources.ts";
import {
  alive,
  imagesOf,
  ownersOf,
  scenario,
  selectorOf,
  templateOf,
} from "#test/conformance-apps/scenario.ts";

const web = (spec: Partial<Deployment["spec"]> = {}): Deployment => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name: "web", namespace: "conformance" },
  spec: { replicas: 2, selector: selectorOf("web"), template: templateOf("web"), ...spec },
});
const at = { name: "web", namespace: "conformance" };
const toImage = (image: string) => ({
  kind: "strategic" as const,
  value: { spec: { template: { spec: { containers: [{ name: "main", image }] } } } },
});

function isComplete(deployment: Deployment | undefined, replicas: number): boolean {
  const { status, metadata } = deployment ?? {};
  const counts = [status?.replicas, status?.updatedReplicas, status?.availableReplicas];
  return (
    status?.observedGeneration === metadata?.generation && counts.every((one) => one === replicas)
  );
}

scenario("a Deployment is scaled through its scale", async ({ client, get, until }) => {
  await client.create(deployments, web({ replicas: 1 }));
  const path = "/apis/apps/v1/namespaces/conformance/deployments/web/scale";
  const read = async () => (await client.read(path)) as Scale;
  const scale = await read();
  deepEqual([scale.spec?.replicas, scale.status?.selector], [1, "app=web"]);
  const more = { ...scale, spec: { replicas: 3 } };
  await client.update(deployments, more as never, { subresource: "scale" });
  await until(() => isComplete(get(deployments, "web"), 3));
  equal((await read()).status?.replicas, 3);
  const value = { spec: { replicas: 0 } };
  await client.patch(deployments, at, { kind: "merge", value }, { subresource: "scale" });
  await until(
    () =>
      get(deployments, "web")?.status?.replicas === undefined ||
      isComplete(get(deployments, "web"), 0),
  );
});

scenario("Recreate lets old pods go before new ones come", async (scene) => {
  const { client, informers, get, until } = scene;
  await client.create(deployments, web({ strategy: { type: "Recreate" } }));
  await until(() => isComplete(get(deployments, "web"), 2));
  let together = false;
  informers.of(pods).onChange(() => {
    const images = new Set(imagesOf(scene.pods()));
    if (images.size > 1) together = true;
  });
  await client.patch(deployments, at, toImage("v2"));
  await until(() => isComplete(get(deployments, "web"), 2));
  deepEqual([imagesOf(alive(scene.pods())), together], [["v2", "v2"], false]);
});

scenario(
  "a Deployment adopts a ReplicaSet that it selects and replaces its pods",
  async (scene) => {
    const { client, get, until } = scene;
    await client.create(replicaSets, {
      apiVersion: "apps/v1",
      kind: "ReplicaSet",
      metadata: { name: "older", namespace: "conformance", labels: { app: "web" } },
      spec: {
        replicas: 2,
        selector: selectorOf("web"),
        template: templateOf("web", { image: "v0" }),
      },
    });
    await until(() => get(replicaSets, "older")?.status?.availableReplicas === 2);
    await client.create(deployments, web());
    await until(() => isComplete(get(deployments, "web"), 2));
    const older = get(replicaSets, "older");
    deepEqual(older && [ownersOf(older), older.spec?.replicas], [["Deployment web"], 0]);
    await until(() => scene.pods().length === 2);
    deepEqual(imagesOf(scene.pods()), ["v1", "v1"]);
  },
);

scenario(
  "old ReplicaSets beyond the history are deleted",
  async ({ client, informers, get, until }) => {
    await client.create(deployments, web({ revisionHistoryLimit: 0 }));
    await until(() => isComplete(get(deployments, "web"), 2));
    await client.patch(deployments, at, toImage("v2"));
    await until(() => isComplete(get(deployments, "web"), 2));
    await until(() => [...informers.of(replicaSets).list("conformance")].length === 1);
  },
);

scenario("a rollover leaves a rollout that never ends for a newer one", async (scene) => {
  const { client, get, until } = scene;
  await client.create(deployments, web());
  await until(() => isComplete(get(deployments, "web"), 2));
  const never = {
    spec: {
      template: {
        metadata: { annotations: { "simulated.kogge.dev/healthy-after-seconds": "3600" } },
        spec: {
          containers: [{ name: "main", image: "v2", readinessProbe: { tcpSocket: { port: 1 } } }],
        },
      },
    },
  };
  await client.patch(deployments, at, { kind: "strategic", value: never });
  await until(() => imagesOf(scene.pods()).includes("v2"));
  const healthy = {
    spec: {
      template: {
        metadata: { annotations: { "simulated.kogge.dev/healthy-after-seconds": null } },
        spec: { containers: [{ name: "main", image: "v3", readinessProbe: null }] },
      },
    },
  };
  await client.patch(deployments, at, { kind: "strategic", value: healthy });
  await until(() => isComplete(get(deployments, "web"), 2));
  await until(() => imagesOf(scene.pods()).join() === "v3,v3");
});

scenario("a Deployment in the middle of a rollout is scaled in proportion", async (scene) => {
  const { client, informers, get, until } = scene;
  const rollingUpdate = { maxSurge: 3, maxUnavailable: 2 };
  await client.create(
    deployments,
    web({ replicas: 10, strategy: { type: "RollingUpdate", rollingUpdate } }),
  );
  await until(() => isComplete(get(deployments, "web"), 10));
  const never = {
    spec: {
      template: {
        metadata: { annotations: { "simulated.kogge.dev/healthy-after-seconds": "3600" } },
        spec: {
          containers: [{ name: "main", image: "v2", readinessProbe: { tcpSocket: { port: 1 } } }],
        },
      },
    },
  };
  await client.patch(deployments, at, { kind: "strategic", value: never });
  const sizes = (): number[] =>
    Array.from(
      informers.of(replicaSets).list("conformance"),
      ({ spec }) => spec?.replicas ?? 0,
    ).toSorted((a, b) => a - b);
  await until(() => sizes().join() === "5,8");
  await client.patch(deployments, at, { kind: "merge", value: { spec: { replicas: 30 } } });
  await until(() => sizes().join() === "13,20");
});

scenario("a Deployment's status is read, patched and told of", async ({ client, get, until }) => {
  await client.create(deployments, web());
  await until(() => isComplete(get(deployments, "web"), 2));
  const { status } = (await client.read(
    "/apis/apps/v1/namespaces/conformance/deployments/web/status",
  )) as Deployment;
  deepEqual(
    status?.conditions?.map(({ type, status: holds, reason }) => [type, holds, reason]),
    [
      ["Available", "True", "MinimumReplicasAvailable"],
      ["Progressing", "True", "NewReplicaSetAvailable"],
    ],
  );
  const condition = { type: "StatusPatched", status: "True", reason: "E2E", message: "set" };
  const value = { status: { conditions: [condition] } };
  const options = { subresource: "status" };
  const patched = await client.patch(deployments, at, { kind: "strategic", value }, options);
  ok(patched.status?.conditions?.some(({ type }) => type === "StatusPatched"));
});

scenario("a paused Deployment keeps its pods until it goes on", async (scene) => {
  const { client, get, until } = scene;
  await client.create(deployments, web());
  await until(() => isComplete(get(deployments, "web"), 2));
  const pause = (paused: boolean) =>
    client.patch(deployments, at, { kind: "merge", value: { spec: { paused } } });
  await pause(true);
  await client.patch(deployments, at, toImage("v2"));
  const generation = () => get(deployments, "web")?.metadata.generation;
  await until(() => get(deployments, "web")?.status?.observedGeneration === generation());
  deepEqual(imagesOf(scene.pods()), ["v1", "v1"]);
  await pause(false);
  await until(
    () =>
      isComplete(get(deployments, "web"), 2) && imagesOf(alive(scene.pods())).join() === "v2,v2",
  );
  deepEqual(new Set(scene.pods().map(nameOf)).size >= 2, true);
});
