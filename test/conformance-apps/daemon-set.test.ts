import { deepEqual, ok } from "node:assert/strict";
import type { DaemonSet } from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { controllerRevisions, daemonSets, nodes, pods } from "#api/resources.ts";
import {
  alive,
  imagesOf,
  scenario,
  selectorOf,
  templateOf,
} from "#test/conformance-apps/scenario.ts";

const namespace = "conformance";
const at = { name: "agent", namespace };

const agent = (spec: Partial<DaemonSet["spec"]> = {}, podSpec: object = {}): DaemonSet => ({
  apiVersion: "apps/v1",
  kind: "DaemonSet",
  metadata: { ...at, labels: { stage: "made" } },
  spec: {
    selector: selectorOf("agent"),
    template: templateOf("agent", {}, podSpec),
    ...spec,
  },
});

const toImage = (image: string) => ({
  kind: "strategic" as const,
  value: { spec: { template: { spec: { containers: [{ name: "main", image }] } } } },
});

scenario(
  "a DaemonSet puts a pod on every node, and again where one is deleted or failed",
  async (scene) => {
    const { client, get, until } = scene;
    await client.create(daemonSets, agent());
    const places = () =>
      alive(scene.pods())
        .map(({ spec }) => spec?.nodeName ?? "")
        .toSorted()
        .join();
    const isUp = () => get(daemonSets, "agent")?.status?.numberAvailable === 2;
    await until(() => isUp() && places() === "node-1,node-2");
    const [one, other] = scene.pods();
    await client.delete(pods, { name: one ? nameOf(one) : "", namespace });
    await until(
      () =>
        get(pods, one ? nameOf(one) : "") === undefined && isUp() && places() === "node-1,node-2",
    );
    const failed = { kind: "merge" as const, value: { status: { phase: "Failed" } } };
    await client.patch(pods, { name: other ? nameOf(other) : "", namespace }, failed, {
      subresource: "status",
    });
    await until(() => get(pods, other ? nameOf(other) : "") === undefined && isUp());
  },
);

scenario("a DaemonSet follows the labels of nodes", async (scene) => {
  const { client, get, until } = scene;
  await client.create(daemonSets, agent({}, { nodeSelector: { color: "blue" } }));
  await until(() => get(daemonSets, "agent")?.status?.observedGeneration === 1);
  deepEqual(scene.pods().length, 0);
  const paint = (color: string | null) =>
    client.patch(
      nodes,
      { name: "node-1" },
      { kind: "merge", value: { metadata: { labels: { color } } } },
    );
  await paint("blue");
  await until(() => get(daemonSets, "agent")?.status?.numberAvailable === 1);
  await paint("green");
  await until(() => scene.pods().length === 0);
  const value = { spec: { template: { spec: { nodeSelector: { color: "green" } } } } };
  await client.patch(daemonSets, at, { kind: "merge", value });
  await until(() => get(daemonSets, "agent")?.status?.numberAvailable === 1);
});

scenario(
  "a DaemonSet is updated node by node, and rolled back without restarting what never changed",
  async (scene) => {
    const { client, informers, get, until } = scene;
    const updateStrategy = { type: "RollingUpdate", rollingUpdate: { maxUnavailable: 1 } };
    await client.create(daemonSets, agent({ updateStrategy }));
    const isUp = (): boolean => {
      const { status, metadata } = get(daemonSets, "agent") ?? {};
      return (
        status?.observedGeneration === metadata?.generation &&
        status?.updatedNumberScheduled === 2 &&
        status?.numberAvailable === 2
      );
    };
    await until(isUp);
    await client.patch(daemonSets, at, toImage("v2"));
    await until(() => isUp() && imagesOf(alive(scene.pods())).join() === "v2,v2");
    const slow = {
      kind: "strategic" as const,
      value: {
        spec: {
          template: {
            metadata: { annotations: { "simulated.kogge.dev/healthy-after-seconds": "3600" } },
            spec: {
              containers: [
                { name: "main", image: "v3", readinessProbe: { tcpSocket: { port: 1 } } },
              ],
            },
          },
        },
      },
    };
    await client.patch(daemonSets, at, slow);
    await until(() => imagesOf(alive(scene.pods())).join() === "v2,v3");
    const kept = scene.pods().find(({ spec }) => spec?.containers[0]?.image === "v2");
    const revisions = [...informers.of(controllerRevisions).list(namespace)];
    const second = revisions.find(({ revision }) => revision === 2);
    await client.patch(daemonSets, at, { kind: "strategic", value: second?.data });
    await until(() => isUp() && imagesOf(alive(scene.pods())).join() === "v2,v2");
    ok(get(pods, kept ? nameOf(kept) : ""), "the pod that was never updated is still there");
  },
);

scenario("with surge, a new daemon is there before the old one goes", async (scene) => {
  const { client, informers, get, until } = scene;
  const updateStrategy = {
    type: "RollingUpdate",
    rollingUpdate: { maxSurge: 1, maxUnavailable: 0 },
  };
  await client.create(daemonSets, agent({ updateStrategy }));
  await until(() => get(daemonSets, "agent")?.status?.numberAvailable === 2);
  let fewest = 2;
  informers.of(pods).onChange(() => {
    const serving = alive(scene.pods()).filter(({ status }) =>
      status?.conditions?.some(({ type, status: holds }) => type === "Ready" && holds === "True"),
    );
    fewest = Math.min(fewest, new Set(serving.map(({ spec }) => spec?.nodeName)).size);
  });
  await client.patch(daemonSets, at, toImage("v2"));
  await until(() => imagesOf(scene.pods()).join() === "v2,v2");
  deepEqual(fewest, 2);
});

scenario("with OnDelete, daemons are replaced when somebody deletes them", async (scene) => {
  const { client, get, until } = scene;
  await client.create(daemonSets, agent({ updateStrategy: { type: "OnDelete" } }));
  await until(() => get(daemonSets, "agent")?.status?.numberAvailable === 2);
  await client.patch(daemonSets, at, toImage("v2"));
  await until(() => get(daemonSets, "agent")?.status?.observedGeneration === 2);
  deepEqual(imagesOf(scene.pods()), ["v1", "v1"]);
  const [one] = scene.pods();
  await client.delete(pods, { name: one ? nameOf(one) : "", namespace });
  await until(() => imagesOf(alive(scene.pods())).join() === "v1,v2");
});

scenario("DaemonSets are listed, told of and deleted together", async ({ client, get, until }) => {
  await client.create(daemonSets, agent());
  await until(() => get(daemonSets, "agent")?.status?.numberAvailable === 2);
  const condition = { type: "StatusUpdate", status: "True", reason: "E2E", message: "set" };
  const patch = { kind: "strategic" as const, value: { status: { conditions: [condition] } } };
  const patched = await client.patch(daemonSets, at, patch, { subresource: "status" });
  ok(patched.status?.conditions?.some(({ type }) => type === "StatusUpdate"));
  await client.deleteCollection(daemonSets, { namespace, labelSelector: "stage=made" });
  await until(() => get(daemonSets, "agent") === undefined);
});
