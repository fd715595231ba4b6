import { deepEqual, equal } from "node:assert/strict";
import { mkdir, readdir, readFile, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { test } from "node:test";
import type { PersistentVolume, StatefulSet, StorageClass } from "#api/generated/types.ts";
import {
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  statefulSets,
  storageClasses,
} from "#api/resources.ts";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { systemRandom } from "#base/random.ts";
import type { Client } from "#client/client.ts";
import { createInformers } from "#client/informers.ts";
import { createControllers } from "#controllers/controllers.ts";
import { createScheduler } from "#scheduler/scheduler.ts";
import {
  eventually,
  goneFrom,
  holds,
  isReady,
  logsOf,
  needsContainers,
  openRealNode,
  podOnNode,
  shellContainer,
  until,
} from "#test/real-node.ts";

const skip = needsContainers;
const namespace = "default";

function startControlPlane(client: Client): AsyncDisposable {
  const stop = new AbortController();
  const parts = { client, clock: systemClock, random: systemRandom, log: silentLog };
  const informers = createInformers({ ...parts, signal: stop.signal });
  const shared = { ...parts, informers, signal: stop.signal };
  const controllers = createControllers({ ...shared, rootCa: "PEM" });
  const scheduler = createScheduler(shared);
  return {
    async [Symbol.asyncDispose]() {
      await scheduler[Symbol.asyncDispose]();
      await controllers[Symbol.asyncDispose]();
      stop.abort();
    },
  };
}

function directories(name: string, path: string, reclaimPolicy: string): StorageClass {
  return {
    apiVersion: "storage.k8s.io/v1",
    kind: "StorageClass",
    metadata: { name },
    provisioner: "kogge.dev/local-path",
    reclaimPolicy,
    volumeBindingMode: "WaitForFirstConsumer",
    parameters: { path },
  };
}

function database(name: string, storageClassName: string): StatefulSet {
  const script = "echo started >> /data/starts; cat /data/starts; sleep 1000";
  return {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: { name, namespace },
    spec: {
      replicas: 1,
      serviceName: name,
      selector: { matchLabels: { app: name } },
      template: {
        metadata: { labels: { app: name } },
        spec: {
          automountServiceAccountToken: false,
          terminationGracePeriodSeconds: 0,
          securityContext: { runAsUser: 1000, runAsGroup: 1000, fsGroup: 2000 },
          containers: [
            {
              ...shellContainer("main", script),
              volumeMounts: [{ name: "data", mountPath: "/data" }],
            },
          ],
        },
      },
      volumeClaimTemplates: [
        {
          apiVersion: "v1",
          kind: "PersistentVolumeClaim",
          metadata: { name: "data" },
          spec: {
            storageClassName,
            accessModes: ["ReadWriteOnce"],
            resources: { requests: { storage: "1Gi" } },
          },
        },
      ],
    },
  };
}

test(
  "a StatefulSet's data outlives its pods and goes with its claim, or stays with the policy Retain",
  { skip },
  async () => {
    await using node = await openRealNode();
    const { client, dataDir } = node;
    await using _controlPlane = startControlPlane(client);
    const agent = await node.startAgent();
    const folders = { Delete: join(dataDir, "deleted"), Retain: join(dataDir, "retained") };
    for (const [policy, path] of Object.entries(folders)) {
      await mkdir(path);
      await client.create(storageClasses, directories(policy.toLowerCase(), path, policy));
      await client.create(statefulSets, database(policy.toLowerCase(), policy.toLowerCase()));
    }
    for (const name of ["delete", "retain"]) {
      const first = await until(client, `${name}-0`, isReady);
      equal(await logsOf(agent, `${name}-0`, "main"), "started\n");
      await client.delete(pods, { namespace, name: `${name}-0` });
      const isNext = (pod: typeof first): boolean =>
        isReady(pod) && pod?.metadata.uid !== first?.metadata.uid;
      await until(client, `${name}-0`, isNext);
      equal(await logsOf(agent, `${name}-0`, "main", 2), "started\nstarted\n");
    }
    const [folder = ""] = await readdir(folders.Delete);
    const { gid, mode } = await stat(join(folders.Delete, folder));
    deepEqual([gid, (mode & 0o7777).toString(8)], [2000, "2777"]);
    for (const name of ["delete", "retain"]) {
      await client.delete(statefulSets, { namespace, name });
      await client.delete(persistentVolumeClaims, { namespace, name: `data-${name}-0` });
    }
    await goneFrom(folders.Delete, folder);
    await holds(join(dataDir, "pods"), 0);
    const [kept = ""] = await readdir(folders.Retain);
    equal(await readFile(join(folders.Retain, kept, "starts"), "utf8"), "started\nstarted\n");
  },
);

test(
  "a directory whose volume went while no agent ran goes when the next one starts",
  { skip },
  async () => {
    await using node = await openRealNode();
    const { client, dataDir } = node;
    const agent = await node.startAgent();
    const path = join(dataDir, "made", "here");
    await client.create(persistentVolumes, {
      ...volume("gone", { hostPath: { path, type: "DirectoryOrCreate" } }, "c"),
      metadata: {
        name: "gone",
        labels: { "kogge.dev/node": "n" },
        annotations: { "pv.kubernetes.io/provisioned-by": "kogge.dev/local-path" },
      },
    });
    await boundClaim(client, "c", "gone");
    await client.create(pods, podWithClaim("user", "c"));
    await until(client, "user", isReady);
    await client.delete(pods, { namespace, name: "user" });
    await until(client, "user", (pod) => pod === undefined);
    await agent[Symbol.asyncDispose]();
    await writeFile(join(path, "data"), "1");
    await client.delete(persistentVolumes, { name: "gone" });
    const unprotected = { metadata: { finalizers: null } };
    await client.patch(persistentVolumes, { name: "gone" }, { kind: "merge", value: unprotected });
    await node.startAgent();
    await goneFrom(join(dataDir, "made"), "here");
  },
);

test(
  "local volumes are mounted as they are, read-only where asked, and refused on other nodes",
  { skip },
  async () => {
    await using node = await openRealNode();
    const { client, dataDir } = node;
    const agent = await node.startAgent();
    const path = join(dataDir, "disk");
    await mkdir(path);
    await writeFile(join(path, "data"), "mine\n");
    await client.create(
      persistentVolumes,
      volume("disk", { local: { path }, ...onNode("n") }, "c"),
    );
    await client.create(
      persistentVolumes,
      volume("far", { local: { path }, ...onNode("elsewhere") }, "far"),
    );
    const absent = { local: { path: join(dataDir, "none") }, ...onNode("n") };
    await client.create(persistentVolumes, volume("absent", absent, "absent"));
    await boundClaim(client, "c", "disk");
    await boundClaim(client, "far", "far");
    await boundClaim(client, "absent", "absent");
    const script = "cat /data/data; touch /data/data 2> /dev/null; echo $?; sleep 1000";
    await client.create(pods, podWithClaim("reads", "c", { script, readOnly: true }));
    for (const name of ["far", "absent", "missing"]) {
      await client.create(pods, podWithClaim(name, name));
    }
    await until(client, "reads", isReady);
    await eventually(
      client,
      'MountVolume.NodeAffinity check failed for volume "far" : no matching NodeSelectorTerms',
    );
    await eventually(
      client,
      `MountVolume.NewMounter initialization failed for volume "absent" : path "${absent.local.path}" does not exist`,
    );
    await eventually(
      client,
      'Unable to attach or mount volumes: unmounted volumes=[data], unattached volumes=[], failed to process volumes=[data]: error processing PVC default/missing: failed to fetch PVC from API server: persistentvolumeclaims "missing" not found',
    );
    equal(await logsOf(agent, "reads", "main", 2), "mine\n1\n");
    // The volume comes to be: the pod that waited for it starts.
    await mkdir(absent.local.path);
    await until(client, "absent", isReady);
    for (const name of ["reads", "far", "absent", "missing"]) {
      await client.delete(pods, { namespace, name });
    }
    await holds(join(dataDir, "pods"), 0);
    equal(await readFile(join(path, "data"), "utf8"), "mine\n");
  },
);

function volume(name: string, extra: object, claimName: string): PersistentVolume {
  return {
    apiVersion: "v1",
    kind: "PersistentVolume",
    metadata: { name },
    spec: {
      capacity: { storage: "1Gi" },
      accessModes: ["ReadWriteOnce"],
      persistentVolumeReclaimPolicy: "Delete",
      storageClassName: "by-hand",
      claimRef: { namespace, name: claimName },
      ...extra,
    },
  };
}

function onNode(name: string): object {
  const matchExpressions = [{ key: "kubernetes.io/hostname", operator: "In", values: [name] }];
  return { nodeAffinity: { required: { nodeSelectorTerms: [{ matchExpressions }] } } };
}

/** A claim and its volume bound to each other, as the controller does. */
async function boundClaim(client: Client, name: string, volumeName: string): Promise<void> {
  const claim = await client.create(persistentVolumeClaims, {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: { name, namespace },
    spec: {
      accessModes: ["ReadWriteOnce"],
      storageClassName: "by-hand",
      volumeName,
      resources: { requests: { storage: "1Gi" } },
    },
  });
  const bound = { ...claim, status: { phase: "Bound" } };
  await client.update(persistentVolumeClaims, bound, { subresource: "status" });
  const value = { spec: { claimRef: { uid: claim.metadata.uid } } };
  await client.patch(persistentVolumes, { name: volumeName }, { kind: "merge", value });
}

function podWithClaim(
  name: string,
  claimName: string,
  { script = "sleep 1000", readOnly = false } = {},
) {
  return podOnNode(name, {
    containers: [
      { ...shellContainer("main", script), volumeMounts: [{ name: "data", mountPath: "/data" }] },
    ],
    volumes: [{ name: "data", persistentVolumeClaim: { claimName, readOnly } }],
  });
}
