import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type { PersistentVolume, PersistentVolumeClaim, StatefulSet } from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import {
  events,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  statefulSets,
} from "#api/resources.ts";
import { startCluster } from "#controllers/started-cluster.test.ts";

const namespace = "default";

const volume = (name: string, storage: string, extra: object = {}): PersistentVolume => ({
  apiVersion: "v1",
  kind: "PersistentVolume",
  metadata: { name },
  spec: {
    capacity: { storage },
    accessModes: ["ReadWriteOnce"],
    hostPath: { path: `/tmp/${name}` },
    persistentVolumeReclaimPolicy: "Retain",
    storageClassName: "by-hand",
    ...extra,
  },
});

const claim = (name: string, storage: string, extra: object = {}): PersistentVolumeClaim => ({
  apiVersion: "v1",
  kind: "PersistentVolumeClaim",
  metadata: { name, namespace },
  spec: {
    accessModes: ["ReadWriteOnce"],
    resources: { requests: { storage } },
    storageClassName: "by-hand",
    ...extra,
  },
});

test("a claim gets the smallest volume that satisfies it, which is released when the claim goes", async () => {
  await using cluster = await startCluster(1);
  const { client, informers, until } = cluster;
  const volumes = informers.of(persistentVolumes);
  const claims = informers.of(persistentVolumeClaims);
  const phases = (): string[] =>
    Array.from(volumes.list(), (one) => `${nameOf(one)} ${one.status?.phase}`).toSorted();
  for (const [name, size] of [
    ["large", "8Gi"],
    ["fits", "2Gi"],
    ["small", "1Gi"],
  ] as const) {
    await client.create(persistentVolumes, volume(name, size));
  }
  await client.create(persistentVolumeClaims, claim("data", "1500Mi"));
  const data = () => claims.get({ name: "data", namespace });
  await until(() => data()?.status?.phase === "Bound");
  equal(data()?.spec?.volumeName, "fits");
  deepEqual(data()?.status?.capacity, { storage: "2Gi" });
  await until(() => phases().join() === "fits Bound,large Available,small Available");
  await client.create(persistentVolumeClaims, claim("named", "1Gi", { volumeName: "large" }));
  await until(() => claims.get({ name: "named", namespace })?.status?.phase === "Bound");
  await client.delete(persistentVolumeClaims, { name: "data", namespace });
  await until(() => phases().join() === "fits Released,large Bound,small Available");
  await client.create(persistentVolumeClaims, claim("none", "100Gi", { storageClassName: "" }));
  const told = informers.of(events);
  await until(() => [...told.list(namespace)].some(({ reason }) => reason === "FailedBinding"));
  await client.delete(persistentVolumes, { name: "large" });
  equal(volumes.get({ name: "large" })?.status?.phase, "Bound");
  await client.delete(persistentVolumeClaims, { name: "named", namespace });
  await until(() => volumes.get({ name: "large" }) === undefined);
});

test("a StatefulSet's claims get directories on its pods' nodes and go as its policy says", async () => {
  await using cluster = await startCluster(2);
  const { client, informers, until } = cluster;
  const claims = informers.of(persistentVolumeClaims);
  const volumes = informers.of(persistentVolumes);
  const at = { name: "db", namespace };
  const set: StatefulSet = {
    apiVersion: "apps/v1",
    kind: "StatefulSet",
    metadata: at,
    spec: {
      replicas: 2,
      serviceName: "db",
      selector: { matchLabels: { app: "db" } },
      persistentVolumeClaimRetentionPolicy: { whenScaled: "Delete", whenDeleted: "Retain" },
      template: {
        metadata: { labels: { app: "db" } },
        spec: {
          containers: [
            { name: "c", image: "v1", volumeMounts: [{ name: "data", mountPath: "/data" }] },
          ],
        },
      },
      volumeClaimTemplates: [
        {
          apiVersion: "v1",
          kind: "PersistentVolumeClaim",
          metadata: { name: "data" },
          spec: { accessModes: ["ReadWriteOnce"], resources: { requests: { storage: "1Gi" } } },
        },
      ],
    },
  };
  await client.create(statefulSets, set);
  const phases = (): string[] =>
    Array.from(claims.list(namespace), (one) => `${nameOf(one)} ${one.status?.phase}`).toSorted();
  await until(() => phases().join() === "data-db-0 Bound,data-db-1 Bound");
  await until(() => informers.of(statefulSets).get(at)?.status?.availableReplicas === 2);
  const places = Array.from(volumes.list(), ({ spec }) => [
    spec?.storageClassName,
    spec?.nodeAffinity?.required?.nodeSelectorTerms[0]?.matchExpressions?.[0]?.values,
  ]);
  const nodeOf = (name: string) => informers.of(pods).get({ name, namespace })?.spec?.nodeName;
  deepEqual(
    places.map(String).toSorted(),
    [`local-path,${nodeOf("db-0")}`, `local-path,${nodeOf("db-1")}`].toSorted(),
  );
  const scale = (replicas: number) =>
    client.patch(statefulSets, at, { kind: "merge", value: { spec: { replicas } } });
  await scale(1);
  await until(() => phases().join() === "data-db-0 Bound");
  await until(() => [...volumes.list()].length === 1);
  await scale(2);
  await until(() => phases().join() === "data-db-0 Bound,data-db-1 Bound");
  const value = {
    spec: { persistentVolumeClaimRetentionPolicy: { whenScaled: "Retain", whenDeleted: "Delete" } },
  };
  await client.patch(statefulSets, at, { kind: "merge", value });
  await until(() =>
    [...claims.list(namespace)].every(
      ({ metadata }) => metadata.ownerReferences?.[0]?.kind === "StatefulSet",
    ),
  );
  await client.delete(statefulSets, at, { propagationPolicy: "Foreground" });
  await until(() => phases().length === 0 && [...volumes.list()].length === 0);
});
