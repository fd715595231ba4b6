import { deepEqual, ok } from "node:assert/strict";
import { test } from "node:test";
import type {
  DaemonSet,
  Deployment,
  Job,
  LabelSelector,
  PodTemplateSpec,
  StatefulSet,
} from "#api/generated/types.ts";
import { nameOf, type KubeObject } from "#api/meta.ts";
import {
  daemonSets,
  deployments,
  jobs,
  podDisruptionBudgets,
  pods,
  replicaSets,
  statefulSets,
} from "#api/resources.ts";
import { controllerRefOf } from "#reconcile/owners.ts";
import {
  activePods,
  createWorld,
  describePods,
  isReady,
  type World,
} from "#test/simulation/world.ts";

const namespace = "default";
const faults = { conflict: 0.03, lostRequest: 0.02, lostAnswer: 0.03, brokenWatch: 0.01 };
const nodeCount = 3;
const surge = 2;
const replicas = 5;
const minAvailable = 3;

const selector = (app: string): LabelSelector => ({ matchLabels: { app } });
const template = (app: string, more: object = {}, labels: object = {}): PodTemplateSpec => ({
  metadata: { labels: { app, ...labels } },
  spec: { containers: [{ name: "c", image: "v0" }], ...more },
});

const deployment = (name: string, labels: object = {}): Deployment => ({
  apiVersion: "apps/v1",
  kind: "Deployment",
  metadata: { name, namespace },
  spec: {
    replicas,
    selector: selector(name),
    strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: surge, maxUnavailable: 1 } },
    template: template(name, {}, labels),
  },
});

const statefulSet: StatefulSet = {
  apiVersion: "apps/v1",
  kind: "StatefulSet",
  metadata: { name: "db", namespace },
  spec: {
    replicas: 3,
    serviceName: "db",
    selector: selector("db"),
    template: template("db"),
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

const daemonSet = (name: string, rollingUpdate: object): DaemonSet => ({
  apiVersion: "apps/v1",
  kind: "DaemonSet",
  metadata: { name, namespace },
  spec: {
    selector: selector(name),
    updateStrategy: { type: "RollingUpdate", rollingUpdate },
    template: template(name),
  },
});

const job: Job = {
  apiVersion: "batch/v1",
  kind: "Job",
  metadata: { name: "work", namespace },
  spec: {
    completions: 6,
    parallelism: 3,
    completionMode: "Indexed",
    backoffLimit: 100,
    template: template("work", { restartPolicy: "Never" }, { fragile: "yes" }),
  },
};

for (const seed of [1, 4, 102, 207]) {
  test(`workloads converge whatever goes wrong, and never exceed their bounds (seed ${seed})`, async () => {
    await using world = await createWorld({ seed, nodeCount, faults });
    const { client, random } = world;
    const problems = watchBounds(world);
    await client.create(deployments, deployment("steady"));
    await client.create(deployments, deployment("fragile", { fragile: "yes" }));
    await client.create(podDisruptionBudgets, {
      apiVersion: "policy/v1",
      kind: "PodDisruptionBudget",
      metadata: { name: "steady", namespace },
      spec: { minAvailable, selector: selector("steady") },
    });
    await client.create(statefulSets, statefulSet);
    await client.create(daemonSets, daemonSet("agent", { maxUnavailable: 1 }));
    await client.create(daemonSets, daemonSet("proxy", { maxSurge: 1, maxUnavailable: 0 }));
    await client.create(jobs, job);
    for (let round = 0; round < 60; round++) {
      await world.step(random() < 0.05 ? 30_000 : 2_000);
      await act(world, round);
    }
    world.calm();
    await world.settle(
      () => allDone(world),
      () => describePods(world.informers),
    );
    deepEqual(problems, []);
    await checkOwners(world);
  });
}

/** What somebody might do at any time. */
async function act(world: World, round: number): Promise<void> {
  const { client, informers, random } = world;
  const dice = random();
  const image = `v${Math.floor(random() * 3)}`;
  const value = { spec: { template: { spec: { containers: [{ name: "c", image }] } } } };
  const patch = { kind: "strategic" as const, value };
  if (dice < 0.08) await world.restart();
  else if (dice < 0.16) await client.patch(deployments, { name: "steady", namespace }, patch);
  else if (dice < 0.22) await client.patch(deployments, { name: "fragile", namespace }, patch);
  else if (dice < 0.28) await client.patch(statefulSets, { name: "db", namespace }, patch);
  else if (dice < 0.34) await client.patch(daemonSets, { name: "agent", namespace }, patch);
  else if (dice < 0.4) await client.patch(daemonSets, { name: "proxy", namespace }, patch);
  else if (dice < 0.46) {
    const wanted = { kind: "merge" as const, value: { spec: { replicas: 1 + (round % 4) } } };
    await client.patch(statefulSets, { name: "db", namespace }, wanted);
  } else if (dice < 0.7) {
    const victims = activePods(informers, "steady");
    const victim = victims[Math.floor(random() * victims.length)];
    if (victim) await evict(client, nameOf(victim));
  }
}

/** Refused where the budget does not allow it. */
async function evict(client: World["client"], name: string): Promise<void> {
  const body = {
    apiVersion: "policy/v1",
    kind: "Eviction",
    metadata: { name, namespace },
  } as KubeObject;
  await client.post(pods, { name, namespace, subresource: "eviction" }, body).catch(() => {});
}

/** Looks at every change of a pod for what must never be. */
function watchBounds({ informers }: World): readonly string[] {
  const problems: string[] = [];
  const informer = informers.of(pods);
  const wasComplete = new Set<string>();
  informer.onChange(({ kind, object }) => {
    const app = object.metadata.labels?.["app"] ?? "";
    const active = activePods(informers, app);
    const ready = active.filter(isReady).length;
    if (app === "steady" || app === "fragile") {
      if (active.length > replicas + surge) problems.push(`${app}: ${active.length} pods`);
      if (ready === replicas) wasComplete.add(app);
    }
    if (app === "steady" && wasComplete.has(app) && ready < minAvailable - 1) {
      problems.push(`steady: only ${ready} are ready`);
    }
    if (app === "agent" || app === "proxy") {
      const perNode = new Map<string, number>();
      for (const { spec } of active) {
        if (!spec?.nodeName) continue;
        perNode.set(spec.nodeName, (perNode.get(spec.nodeName) ?? 0) + 1);
      }
      const most = Math.max(0, ...perNode.values());
      if (most > (app === "proxy" ? 2 : 1)) problems.push(`${app}: ${most} pods on a node`);
    }
    if (app === "work") {
      const indexes = active.map(
        ({ metadata }) => metadata.annotations?.["batch.kubernetes.io/job-completion-index"],
      );
      if (new Set(indexes).size < indexes.length) problems.push(`work: ${indexes.join(" ")}`);
      if (active.length > 3) problems.push(`work: ${active.length} pods`);
    }
    if (app === "db" && kind === "added") {
      const ordinal = Number(nameOf(object).split("-").at(-1));
      for (let below = 0; below < ordinal; below++) {
        const pod = informer.get({ name: `db-${below}`, namespace });
        if (!pod || !isReady(pod)) problems.push(`db-${ordinal} came before db-${below}`);
      }
    }
  });
  return problems;
}

function allDone({ informers }: World): boolean {
  const place = (name: string) => ({ name, namespace });
  const rolled = ["steady", "fragile"].every((name) => {
    const { status, metadata } = informers.of(deployments).get(place(name)) ?? {};
    const counts = [status?.replicas, status?.updatedReplicas, status?.availableReplicas];
    const seen = status?.observedGeneration === metadata?.generation;
    // A pod that has just failed is not yet in the status.
    const active = activePods(informers, name).length;
    return seen && [...counts, active].every((count) => count === replicas);
  });
  const db = informers.of(statefulSets).get(place("db"));
  const wanted = db?.spec?.replicas;
  const ordered =
    db?.status?.observedGeneration === db?.metadata.generation &&
    db?.status?.updatedReplicas === wanted &&
    db?.status?.availableReplicas === wanted &&
    db?.status?.replicas === wanted;
  const everywhere = ["agent", "proxy"].every((name) => {
    const { status, metadata } = informers.of(daemonSets).get(place(name)) ?? {};
    const counts = [status?.updatedNumberScheduled, status?.numberAvailable];
    const seen = status?.observedGeneration === metadata?.generation;
    return seen && counts.every((count) => count === nodeCount);
  });
  const work = informers.of(jobs).get(place("work"));
  const finished = work?.status?.conditions?.some(({ type }) => type === "Complete") ?? false;
  const nobodyLeaves = [...informers.of(pods).list()].every(
    ({ metadata }) => metadata.deletionTimestamp === undefined,
  );
  return rolled && ordered && everywhere && finished && nobodyLeaves;
}

/** Nothing is left behind, nothing is there twice. */
async function checkOwners({ client, informers }: World): Promise<void> {
  const owners = new Set<string | undefined>();
  for (const resource of [replicaSets, statefulSets, daemonSets, jobs]) {
    const { items } = await client.list<KubeObject>(resource);
    for (const { metadata } of items) owners.add(metadata.uid);
  }
  const { items } = await client.list(pods);
  ok(
    items.every((pod) => owners.has(controllerRefOf(pod)?.uid)),
    "every pod has its owner",
  );
  const count = (app: string): number => activePods(informers, app).length;
  deepEqual(["steady", "fragile", "agent", "proxy"].map(count), [5, 5, 3, 3]);
  const { status } = await client.get(jobs, { name: "work", namespace });
  deepEqual([status?.succeeded, status?.completedIndexes], [6, "0-5"]);
}
