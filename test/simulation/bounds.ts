import type { Job, Pod } from "#api/generated/types.ts";
import { nameOf, uidOf } from "#api/meta.ts";
import { deployments, jobs, podDisruptionBudgets, pods } from "#api/resources.ts";
import type { Change, Informer } from "#client/informer.ts";
import { controllerRefOf } from "#reconcile/owners.ts";
import {
  minAvailable,
  namespace,
  parallelism,
  replicas,
  scaledMax,
  surge,
} from "#test/simulation/workloads.ts";
import { activePods, isReady, type World } from "#test/simulation/world.ts";

/** Looks at every change for what must never be. */
export function watchBounds(world: World): readonly string[] {
  const problems: string[] = [];
  watchDeployments(world, problems);
  watchPerNode(world, problems);
  watchIndexes(world, problems);
  watchOrdinals(world.informers.of(pods), problems);
  watchScale(world, problems);
  watchCronJobs(world.informers.of(jobs), problems);
  return problems;
}

/**
 * An eviction is granted by the budget's status, as upstream grants it: while that is behind, pods may be evicted
 * that a rollout or others have made indispensable since. When it knows, nobody takes one of the last.
 */
function watchDeployments({ informers }: World, problems: string[]): void {
  const wasComplete = new Set<string>();
  const budgets = informers.of(podDisruptionBudgets);
  let steadyBefore = 0;
  informers.of(pods).onChange(({ object }) => {
    const app = appOf(object);
    if (app !== "steady" && app !== "fragile") return;
    const active = activePods(informers, app);
    const ready = active.filter(isReady).length;
    if (active.length > replicas + surge) problems.push(`${app}: ${active.length} pods`);
    if (ready === replicas) wasComplete.add(app);
    if (app !== "steady") return;
    const known = budgets.get({ name: app, namespace })?.status?.currentHealthy ?? 0;
    // A pod of a silent node is not ready either, but nobody took it.
    const isTaken = ready < steadyBefore && object.metadata.deletionTimestamp !== undefined;
    const isTold = known <= steadyBefore;
    steadyBefore = ready;
    if (isTaken && isTold && wasComplete.has(app) && ready < minAvailable - 1) {
      problems.push(`steady: only ${ready} are ready`);
    }
  });
}

function watchPerNode({ informers }: World, problems: string[]): void {
  informers.of(pods).onChange(({ object }) => {
    const app = appOf(object);
    if (app !== "agent" && app !== "proxy") return;
    const perNode = new Map<string, number>();
    for (const { spec } of activePods(informers, app)) {
      if (!spec?.nodeName) continue;
      perNode.set(spec.nodeName, (perNode.get(spec.nodeName) ?? 0) + 1);
    }
    const most = Math.max(0, ...perNode.values());
    if (most > (app === "proxy" ? 2 : 1)) problems.push(`${app}: ${most} pods on a node`);
  });
}

function watchIndexes({ informers }: World, problems: string[]): void {
  informers.of(pods).onChange(({ object }) => {
    if (appOf(object) !== "work") return;
    const active = activePods(informers, "work");
    const indexes = active.map(
      ({ metadata }) => metadata.annotations?.["batch.kubernetes.io/job-completion-index"],
    );
    if (new Set(indexes).size < indexes.length) problems.push(`work: ${indexes.join(" ")}`);
    if (active.length > parallelism) problems.push(`work: ${active.length} pods`);
  });
}

/**
 * One pod an ordinal: the next comes when the one before it is gone. And in order: those below have been ready. They
 * need not be so at this moment, as their node may have fallen silent and whoever makes the pod not know it yet.
 */
function watchOrdinals(informer: Informer<Pod>, problems: string[]): void {
  const there = new Map<string, string>();
  const wasReady = new Set<string>();
  informer.onChange((change: Change<Pod>) => {
    const { kind, object } = change;
    if (isReady(object)) wasReady.add(uidOf(object));
    if (appOf(object) !== "db") return;
    const name = nameOf(object);
    const ordinal = Number(name.split("-").at(-1));
    if (kind === "deleted") return void there.delete(name);
    const other = there.get(name);
    if (other !== undefined && other !== uidOf(object)) problems.push(`${name} is there twice`);
    there.set(name, uidOf(object));
    if (kind !== "added") return;
    for (let below = 0; below < ordinal; below++) {
      const pod = informer.get({ name: `db-${below}`, namespace });
      if (!pod || !wasReady.has(uidOf(pod))) problems.push(`db-${ordinal} came before db-${below}`);
    }
  });
}

function watchScale({ informers }: World, problems: string[]): void {
  informers.of(deployments).onChange(({ object }) => {
    if (nameOf(object) !== "load") return;
    const wanted = object.spec?.replicas ?? 0;
    if (wanted < 1 || wanted > scaledMax) problems.push(`load: scaled to ${wanted}`);
  });
}

const timeAnnotation = "batch.kubernetes.io/cronjob-scheduled-timestamp";

/** Every time has one Job, whatever the clock does, and neither policy lets two run at once. */
function watchCronJobs(informer: Informer<Job>, problems: string[]): void {
  const uids = new Map<string, string>();
  informer.onChange(({ kind, object }) => {
    const owner = controllerRefOf(object)?.name;
    if (owner === undefined || kind === "deleted") return;
    const time = `${owner} ${object.metadata.annotations?.[timeAnnotation]}`;
    const uid = uids.get(time) ?? uidOf(object);
    if (uid !== uidOf(object)) problems.push(`${time}: a second Job`);
    uids.set(time, uid);
    if (kind !== "added") return;
    const running = [...informer.list()].filter(
      (job) => controllerRefOf(job)?.name === owner && isRunning(job),
    );
    if (running.length > 1) problems.push(`${owner}: ${running.map(nameOf).join(" ")} at once`);
  });
}

export function isRunning({ metadata, status }: Job): boolean {
  const ended = status?.conditions?.some(({ type }) => type === "Complete" || type === "Failed");
  return metadata.deletionTimestamp === undefined && !ended;
}

function appOf({ metadata }: Pod): string {
  return metadata.labels?.["app"] ?? "";
}
