import { deepEqual, equal, ok } from "node:assert/strict";
import type { ControllerRevision, StatefulSet } from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { controllerRevisions, pods, statefulSets } from "#api/resources.ts";
import { alive, scenario, selectorOf, templateOf } from "#test/conformance-apps/scenario.ts";

const namespace = "conformance";
const at = { name: "db", namespace };

const db = (spec: Partial<StatefulSet["spec"]> = {}, annotations = {}): StatefulSet => ({
  apiVersion: "apps/v1",
  kind: "StatefulSet",
  metadata: { ...at, labels: { stage: "made" } },
  spec: {
    replicas: 3,
    serviceName: "db",
    selector: selectorOf("db"),
    template: templateOf("db", { annotations }),
    ...spec,
  },
});

const merge = (value: object) => ({ kind: "merge" as const, value });
const toImage = (image: string) => ({
  kind: "strategic" as const,
  value: { spec: { template: { spec: { containers: [{ name: "main", image }] } } } },
});

scenario("a StatefulSet grows in order and shrinks from the last", async (scene) => {
  const { client, informers, get, until } = scene;
  const told: string[] = [];
  informers.of(pods).onChange(({ kind, object }) => {
    if (object.metadata.namespace !== namespace || kind === "modified") return;
    told.push(`${kind} ${nameOf(object)}`);
  });
  await client.create(statefulSets, db({ replicas: 1 }));
  await until(() => get(statefulSets, "db")?.status?.readyReplicas === 1);
  await client.patch(statefulSets, at, merge({ spec: { replicas: 3 } }));
  await until(() => get(statefulSets, "db")?.status?.availableReplicas === 3);
  await client.patch(statefulSets, at, merge({ spec: { replicas: 1 } }));
  await until(() => scene.pods().length === 1);
  deepEqual(told, ["added db-0", "added db-1", "added db-2", "deleted db-2", "deleted db-1"]);
});

scenario("a StatefulSet whose pods need no order makes and ends them together", async (scene) => {
  const { client, get, until } = scene;
  const never = { "simulated.kogge.dev/healthy-after-seconds": "3600" };
  const template = templateOf("db", { annotations: never });
  const containers = [{ name: "main", image: "v1", readinessProbe: { tcpSocket: { port: 1 } } }];
  const spec = { ...template.spec, containers };
  await client.create(
    statefulSets,
    db({ podManagementPolicy: "Parallel", template: { ...template, spec } }),
  );
  await until(() => scene.pods().length === 3);
  await client.patch(statefulSets, at, merge({ spec: { replicas: 0 } }));
  await until(() => scene.pods().length === 0 && get(statefulSets, "db")?.status?.replicas === 0);
});

scenario(
  "a StatefulSet is updated from its last pod down to the partition, and rolled back",
  async (scene) => {
    const { client, get, until } = scene;
    const rolling = (partition: number) => ({
      spec: { updateStrategy: { type: "RollingUpdate", rollingUpdate: { partition } } },
    });
    await client.create(statefulSets, db(rolling(2).spec));
    await until(() => get(statefulSets, "db")?.status?.availableReplicas === 3);
    const first = get(statefulSets, "db")?.status?.currentRevision;
    const images = () =>
      ["db-0", "db-1", "db-2"].map((name) => get(pods, name)?.spec?.containers[0]?.image);
    const isUp = () => get(statefulSets, "db")?.status?.availableReplicas === 3;
    await client.patch(statefulSets, at, toImage("v2"));
    await until(() => images().join() === "v1,v1,v2" && isUp());
    await client.delete(pods, { name: "db-0", namespace });
    await until(() => images().join() === "v1,v1,v2" && isUp());
    await client.patch(statefulSets, at, merge(rolling(0)));
    await until(() => images().join() === "v2,v2,v2" && isUp());
    await until(() => get(statefulSets, "db")?.status?.currentRevision !== first);
    await client.patch(statefulSets, at, toImage("v1"));
    await until(
      () =>
        images().join() === "v1,v1,v1" &&
        get(statefulSets, "db")?.status?.currentRevision === first,
    );
  },
);

scenario("a StatefulSet makes a pod that failed anew under its name", async (scene) => {
  const { client, get, until } = scene;
  await client.create(statefulSets, db({ replicas: 1 }));
  await until(() => get(statefulSets, "db")?.status?.readyReplicas === 1);
  const uid = get(pods, "db-0")?.metadata.uid;
  const failed = merge({ status: { phase: "Failed" } });
  await client.patch(pods, { name: "db-0", namespace }, failed, { subresource: "status" });
  await until(
    () =>
      get(pods, "db-0")?.metadata.uid !== uid &&
      get(statefulSets, "db")?.status?.readyReplicas === 1,
  );
});

scenario("StatefulSets are scaled, told of, patched and deleted together", async (scene) => {
  const { client, get, until } = scene;
  await client.create(statefulSets, db({ replicas: 1 }));
  await until(() => get(statefulSets, "db")?.status?.readyReplicas === 1);
  const scaled = merge({ spec: { replicas: 2 } });
  await client.patch(statefulSets, at, scaled, { subresource: "scale" });
  await until(() => get(statefulSets, "db")?.status?.availableReplicas === 2);
  const condition = { type: "StatusUpdate", status: "True", reason: "E2E", message: "set" };
  const patched = await client.patch(
    statefulSets,
    at,
    { kind: "strategic", value: { status: { conditions: [condition] } } },
    { subresource: "status" },
  );
  ok(patched.status?.conditions?.some(({ type }) => type === "StatusUpdate"));
  await client.deleteCollection(statefulSets, { namespace, labelSelector: "stage=made" });
  await until(() => get(statefulSets, "db") === undefined && alive(scene.pods()).length === 0);
});

scenario("ControllerRevisions are patched, replaced and deleted", async (scene) => {
  const { client, informers, get, until } = scene;
  await client.create(statefulSets, db({ replicas: 1 }));
  await until(() => get(statefulSets, "db")?.status?.readyReplicas === 1);
  const [revision] = informers.of(controllerRevisions).list(namespace);
  const name = revision ? nameOf(revision) : "";
  const labelled = await client.patch(
    controllerRevisions,
    { name, namespace },
    merge({ metadata: { labels: { mark: "x" } } }),
  );
  equal(labelled.metadata.labels?.["mark"], "x");
  const copy: ControllerRevision = {
    apiVersion: "apps/v1",
    kind: "ControllerRevision",
    metadata: { name: "copy", namespace, labels: { mark: "y" } },
    ...(labelled.data !== undefined && { data: labelled.data }),
    revision: 3,
  };
  const made = await client.create(controllerRevisions, copy);
  await client.update(controllerRevisions, { ...made, revision: 4 });
  await client.deleteCollection(controllerRevisions, { namespace, labelSelector: "mark=y" });
  await until(() => get(controllerRevisions, "copy") === undefined);
});
