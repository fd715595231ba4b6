import { deepEqual } from "node:assert/strict";
import type { Pod } from "#api/generated/types.ts";
import { keyOf, nameOf, type KubeObject } from "#api/meta.ts";
import {
  controllerRevisions,
  cronJobs,
  daemonSets,
  deployments,
  horizontalPodAutoscalers,
  jobs,
  pods,
  replicaSets,
  statefulSets,
} from "#api/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Informers } from "#client/informers.ts";
import { controllerRefOf } from "#reconcile/owners.ts";
import { isRunning, watchBounds } from "#test/simulation/bounds.ts";
import {
  createWorkloads,
  historyLimit,
  loadBytes,
  namespace,
  replicas,
  scaledRight,
} from "#test/simulation/workloads.ts";
import {
  activePods,
  createWorld,
  describePods,
  isReady,
  type World,
  type WorldOptions,
} from "#test/simulation/world.ts";

const faults = { conflict: 0.03, lostRequest: 0.02, lostAnswer: 0.03, brokenWatch: 0.01 };
const nodeCount = 3;
const rounds = 60;

/** Runs the workloads through a time of faults from the seed, and throws what is wrong with how they come out of it. */
export async function runScenario(
  seed: number,
  more: Pick<WorldOptions, "onRequest"> = {},
): Promise<void> {
  await using world: World = await createWorld({ seed, nodeCount, faults, memoryOf, ...more });
  const problems = watchBounds(world);
  await createWorkloads(world.client);
  for (let round = 0; round < rounds; round++) {
    await world.step(world.random() < 0.1 ? 60_000 : 2_000);
    await act(world, round);
  }
  world.calm();
  await suspendCronJobs(world);
  await world.settle(
    () => allDone(world),
    () => describe(world),
  );
  deepEqual(problems, []);
  await checkCounts(world);
  await deleteOwners(world);
  await world.settle(
    () => nothingLeft(world),
    () => describe(world),
  );

  function memoryOf({ metadata }: Pod): number {
    if (metadata.labels?.["app"] !== "load") return 0;
    return loadBytes / Math.max(1, activePods(world.informers, "load").filter(isReady).length);
  }
}

/** What somebody might do at any time. */
async function act(world: World, round: number): Promise<void> {
  const { client, informers, random } = world;
  const dice = random();
  const image = `v${Math.floor(random() * 3)}`;
  const value = { spec: { template: { spec: { containers: [{ name: "c", image }] } } } };
  const patch = { kind: "strategic" as const, value };
  if (dice < 0.08) await world.restart();
  else if (dice < 0.14) await client.patch(deployments, { name: "steady", namespace }, patch);
  else if (dice < 0.2) await client.patch(deployments, { name: "fragile", namespace }, patch);
  else if (dice < 0.26) await client.patch(statefulSets, { name: "db", namespace }, patch);
  else if (dice < 0.32) await client.patch(daemonSets, { name: "agent", namespace }, patch);
  else if (dice < 0.38) await client.patch(daemonSets, { name: "proxy", namespace }, patch);
  else if (dice < 0.44) {
    const wanted = { kind: "merge" as const, value: { spec: { replicas: 1 + (round % 4) } } };
    await client.patch(statefulSets, { name: "db", namespace }, wanted);
  } else if (dice < 0.52) {
    const wanted = { kind: "merge" as const, value: { spec: { replicas: 1 + (round % 6) } } };
    await client.patch(deployments, { name: "load", namespace }, wanted);
  } else if (dice < 0.6) world.jump((random() - 0.5) * jumpMaxMs);
  else if (dice < 0.8) {
    const victims = activePods(informers, "steady");
    const victim = victims[Math.floor(random() * victims.length)];
    if (victim) await evict(client, nameOf(victim));
  }
}

/** Forward and back by up to a quarter of an hour. */
const jumpMaxMs = 1_800_000;

/** Refused where the budget does not allow it. */
async function evict(client: World["client"], name: string): Promise<void> {
  const body = {
    apiVersion: "policy/v1",
    kind: "Eviction",
    metadata: { name, namespace },
  } as KubeObject;
  await client.post(pods, { name, namespace, subresource: "eviction" }, body).catch(() => {});
}

async function suspendCronJobs({ client }: World): Promise<void> {
  const suspended = { kind: "merge" as const, value: { spec: { suspend: true } } };
  for (const name of ["forbid", "replace"]) {
    await client.patch(cronJobs, { name, namespace }, suspended);
  }
}

function describe(world: World): string {
  const { informers } = world;
  const statuses = [deployments, statefulSets, daemonSets, cronJobs, horizontalPodAutoscalers].map(
    (resource) =>
      Array.from(
        informers.of<KubeObject & { status?: object }>(resource as never).list(),
        (object) => `${object.kind} ${keyOf(object)} ${JSON.stringify(object.status)}`,
      ).join("\n"),
  );
  return [describePods(informers), ...statuses, ...unseen(world)].join("\n");
}

function allDone(world: World): boolean {
  const leaving = [...world.informers.of(pods).list()].filter(
    ({ metadata }) => metadata.deletionTimestamp !== undefined,
  );
  return (
    ["steady", "fragile"].every((name) => isRolled(world, name, replicas)) &&
    isRolled(world, "load", scaledRight) &&
    isScaled(world) &&
    isOrdered(world) &&
    ["agent", "proxy"].every((name) => isEverywhere(world, name)) &&
    isComplete(world) &&
    ["forbid", "replace"].every((name) => isQuiet(world, name)) &&
    leaving.length === 0 &&
    orphans(world).length === 0 &&
    unseen(world).length === 0
  );
}

/** What the controllers do not see as it is: a watch that lost an event would never show it. */
function unseen({ informers, seen }: World): readonly string[] {
  return [...owners, ...owned].flatMap((resource) => {
    const versions = (all: Informers): readonly string[] =>
      Array.from(
        all.of(resource as Resource<KubeObject>).list(),
        (object) => `${object.kind} ${keyOf(object)} ${object.metadata.resourceVersion}`,
      );
    const there = new Set(versions(informers));
    return [...there.symmetricDifference(new Set(versions(seen())))];
  });
}

const place = (name: string) => ({ name, namespace });

function isRolled({ informers }: World, name: string, wanted: number): boolean {
  const { status, metadata } = informers.of(deployments).get(place(name)) ?? {};
  const counts = [status?.replicas, status?.updatedReplicas, status?.availableReplicas];
  const seen = status?.observedGeneration === metadata?.generation;
  // A pod that has just failed is not yet in the status.
  const active = activePods(informers, name).length;
  return seen && [...counts, active].every((count) => count === wanted);
}

function isScaled({ informers }: World): boolean {
  const { status } = informers.of(horizontalPodAutoscalers).get(place("load")) ?? {};
  return status?.currentReplicas === scaledRight && status.desiredReplicas === scaledRight;
}

function isOrdered({ informers }: World): boolean {
  const db = informers.of(statefulSets).get(place("db"));
  const { updatedReplicas, availableReplicas, replicas: all } = db?.status ?? {};
  const seen = db?.status?.observedGeneration === db?.metadata.generation;
  return (
    seen && [updatedReplicas, availableReplicas, all].every((count) => count === db?.spec?.replicas)
  );
}

function isEverywhere({ informers }: World, name: string): boolean {
  const { status, metadata } = informers.of(daemonSets).get(place(name)) ?? {};
  const counts = [status?.updatedNumberScheduled, status?.numberAvailable];
  const seen = status?.observedGeneration === metadata?.generation;
  return seen && counts.every((count) => count === nodeCount);
}

function isComplete({ informers }: World): boolean {
  const work = informers.of(jobs).get(place("work"));
  return work?.status?.conditions?.some(({ type }) => type === "Complete") ?? false;
}

/** A CronJob whose Jobs have all ended keeps the last ones and knows of none. */
function isQuiet({ informers }: World, name: string): boolean {
  const cronJob = informers.of(cronJobs).get(place(name));
  const own = [...informers.of(jobs).list()].filter((job) => controllerRefOf(job)?.name === name);
  const active = cronJob?.status?.active ?? [];
  return active.length === 0 && own.length <= historyLimit && !own.some(isRunning);
}

const owners: readonly Resource[] = [deployments, statefulSets, daemonSets, cronJobs, jobs];
const owned: readonly Resource[] = [replicaSets, controllerRevisions, jobs, pods];

/** What has an owner that is gone; the garbage collector is on its way. */
function orphans({ informers }: World): readonly string[] {
  const all = (resource: Resource) => [...informers.of(resource).list()];
  const uids = new Set([...owners, replicaSets].flatMap(all).map(({ metadata }) => metadata.uid));
  return owned.flatMap(all).flatMap((object) => {
    const owner = controllerRefOf(object);
    const isLone = owner === undefined && keyOf(object) !== `${namespace}/work`;
    return isLone || (owner && !uids.has(owner.uid)) ? [keyOf(object)] : [];
  });
}

/** Nothing is there twice. */
async function checkCounts({ client, informers }: World): Promise<void> {
  const count = (app: string): number => activePods(informers, app).length;
  const apps = ["steady", "fragile", "agent", "proxy", "load"];
  deepEqual(apps.map(count), [replicas, replicas, nodeCount, nodeCount, scaledRight]);
  const { status } = await client.get(jobs, { name: "work", namespace });
  deepEqual([status?.succeeded, status?.completedIndexes], [6, "0-5"]);
}

async function deleteOwners({ client }: World): Promise<void> {
  for (const resource of owners) {
    for (const object of (await client.list(resource)).items) {
      if (controllerRefOf(object)) continue;
      const options = { propagationPolicy: "Background" as const };
      await client.delete(resource, { name: nameOf(object), namespace }, options);
    }
  }
}

function nothingLeft({ informers }: World): boolean {
  return owned.every((resource) => [...informers.of(resource).list()].length === 0);
}
