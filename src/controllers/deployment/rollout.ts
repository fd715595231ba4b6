import type { Deployment, Pod, ReplicaSet } from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import {
  annotatedCount,
  desiredAnnotation,
  maxAnnotation,
} from "#controllers/deployment/revisions.ts";
import {
  isRollingUpdate,
  maxSurgeOf,
  maxUnavailableOf,
  wantedReplicas,
} from "#controllers/deployment/rounding.ts";
import { isPodFinished } from "#controllers/pods/pod-state.ts";

/** The sizes of a Deployment's ReplicaSets as a plan changes them, step by step. */
export interface Sizes {
  of(set: ReplicaSet): number;
  /** True when this is a change. */
  set(set: ReplicaSet, replicas: number): boolean;
}

export interface ReplicaSets {
  readonly deployment: Deployment;
  readonly newest: ReplicaSet | undefined;
  /** By creation, the oldest first. */
  readonly olds: readonly ReplicaSet[];
}

export function createSizes(sets: readonly ReplicaSet[]): Sizes {
  const sizes = new Map(sets.map((set) => [nameOf(set), set.spec?.replicas ?? 1]));
  return {
    of: (set) => sizes.get(nameOf(set)) ?? 0,
    set(set, replicas) {
      const changed = sizes.get(nameOf(set)) !== replicas;
      sizes.set(nameOf(set), replicas);
      return changed;
    },
  };
}

/** How many replicas the newest ReplicaSet may have now: as many as wanted, within the surge. */
export function newestSize({ deployment, newest, olds }: ReplicaSets, sizes: Sizes): number {
  const wanted = wantedReplicas(deployment);
  if (!isRollingUpdate(deployment)) return wanted;
  const current = newest ? sizes.of(newest) : 0;
  // Pods that old ReplicaSets no longer want, but still have, count too: upstream may exceed the surge by these. What
  // a set has is known when it has seen what it is to have.
  if (olds.some(isBehind)) return Math.min(current, wanted);
  const had = (set: ReplicaSet): number => Math.max(sizes.of(set), set.status?.replicas ?? 0);
  const total = olds.reduce((sum, set) => sum + had(set), current);
  const room = wanted + maxSurgeOf(deployment) - total;
  return room <= 0 ? current : current + Math.min(room, wanted - current);
}

function isBehind({ metadata, status }: ReplicaSet): boolean {
  return (status?.observedGeneration ?? 0) < (metadata.generation ?? 0);
}

/** One step of a rolling update: first the newest grows (or shrinks), and only when it need not, the old ones shrink. */
export function rollOn(sets: ReplicaSets & { readonly newest: ReplicaSet }, sizes: Sizes): void {
  const { deployment, newest, olds } = sets;
  const wanted = wantedReplicas(deployment);
  const current = sizes.of(newest);
  const target = current > wanted ? wanted : newestSize(sets, sizes);
  if (current !== wanted && sizes.set(newest, target)) return;
  shrinkOld({ deployment, newest, olds }, sizes);
}

function shrinkOld(
  { deployment, newest, olds }: ReplicaSets & { readonly newest: ReplicaSet },
  sizes: Sizes,
): void {
  if (totalOf(olds, sizes) === 0) return;
  const least = wantedReplicas(deployment) - maxUnavailableOf(deployment);
  const unavailable = sizes.of(newest) - available(newest);
  const spare = totalOf(olds, sizes) + sizes.of(newest) - least - unavailable;
  if (spare <= 0) return;
  shrinkUnhealthy(olds, sizes, spare);
  const availableTotal = [...olds, newest].reduce((sum, set) => sum + available(set), 0);
  let excess = availableTotal - least;
  for (const set of olds) {
    if (excess <= 0) return;
    const removed = Math.min(sizes.of(set), excess);
    sizes.set(set, sizes.of(set) - removed);
    excess -= removed;
  }
}

/** Replicas that serve nobody go first: they cost no availability. */
function shrinkUnhealthy(olds: readonly ReplicaSet[], sizes: Sizes, spare: number): void {
  let left = spare;
  for (const set of olds) {
    if (left <= 0) return;
    const removed = Math.min(left, Math.max(0, sizes.of(set) - available(set)));
    sizes.set(set, sizes.of(set) - removed);
    left -= removed;
  }
}

/** True when old replicas had to be taken away first, or still run. */
export function clearOld(
  olds: readonly ReplicaSet[],
  sizes: Sizes,
  podsOf: (set: ReplicaSet) => Iterable<Pod>,
): boolean {
  let cleared = false;
  for (const set of olds) if (sizes.set(set, 0)) cleared = true;
  if (cleared) return true;
  return olds.some((set) => [...podsOf(set)].some((pod) => !isPodFinished(pod)));
}

/** True when the Deployment was scaled since its ReplicaSets were sized. */
export function isScaling(deployment: Deployment, sets: readonly ReplicaSet[]): boolean {
  const wanted = wantedReplicas(deployment);
  return sets.some((set) => {
    const desired = annotatedCount(set, desiredAnnotation);
    return (set.spec?.replicas ?? 1) > 0 && desired !== undefined && desired !== wanted;
  });
}

/**
 * Sizes the ReplicaSets for a new number of replicas. With several of them active, in the middle of a rollout, each
 * gets its proportion, so that a bad new version does not take over by scaling. Returns those that were sized.
 */
export function scale(sets: ReplicaSets, sizes: Sizes): readonly ReplicaSet[] {
  const { deployment, newest, olds } = sets;
  const wanted = wantedReplicas(deployment);
  const only = activeOrLatest(sets);
  if (only) return resize([[only, wanted]], sizes);
  const activeOlds = olds.filter((set) => sizes.of(set) > 0);
  if (newest && isSaturated(deployment, newest)) {
    return resize(
      activeOlds.map((set) => [set, 0]),
      sizes,
    );
  }
  if (!isRollingUpdate(deployment)) return [];
  const active = [...(newest && sizes.of(newest) > 0 ? [newest] : []), ...activeOlds];
  return resize(proportions(deployment, active, sizes), sizes);
}

function resize(
  wanted: readonly (readonly [ReplicaSet, number])[],
  sizes: Sizes,
): readonly ReplicaSet[] {
  for (const [set, replicas] of wanted) sizes.set(set, replicas);
  return wanted.map(([set]) => set);
}

function proportions(
  deployment: Deployment,
  active: readonly ReplicaSet[],
  sizes: Sizes,
): (readonly [ReplicaSet, number])[] {
  const wanted = wantedReplicas(deployment);
  const allowed = wanted > 0 ? wanted + maxSurgeOf(deployment) : 0;
  const toAdd = allowed - totalOf(active, sizes);
  // Growth goes to the larger and newer first, shrinking to the larger and older.
  const ordered = active.toSorted((one, other) => {
    const bySize = sizes.of(other) - sizes.of(one);
    if (bySize !== 0) return bySize;
    return toAdd > 0 ? byCreation(other, one) : byCreation(one, other);
  });
  let added = 0;
  const result = ordered.map((set): [ReplicaSet, number] => {
    const size = sizes.of(set);
    if (toAdd === 0 || size === 0) return [set, size];
    const share = fractionOf(deployment, set, size);
    const part = toAdd > 0 ? Math.min(share, toAdd - added) : Math.max(share, toAdd - added);
    added += part;
    return [set, size + part];
  });
  const [first] = result;
  if (first && toAdd !== 0) first[1] = Math.max(0, first[1] + toAdd - added);
  return result;
}

/** By how much a ReplicaSet changes to keep its share of the whole. */
function fractionOf(deployment: Deployment, set: ReplicaSet, size: number): number {
  const wanted = wantedReplicas(deployment);
  if (wanted === 0) return -size;
  const before = annotatedCount(set, maxAnnotation) || (deployment.status?.replicas ?? 0);
  if (before === 0) return 0;
  return Math.round((size * (wanted + maxSurgeOf(deployment))) / before) - size;
}

/** The one that takes a plain scaling: the only active one, or the newest when none is active. */
function activeOrLatest({ newest, olds }: ReplicaSets): ReplicaSet | undefined {
  const all = newest ? [...olds, newest] : olds;
  const active = all.filter((set) => (set.spec?.replicas ?? 1) > 0);
  if (active.length === 0) return newest ?? olds.at(-1);
  return active.length === 1 ? active[0] : undefined;
}

function isSaturated(deployment: Deployment, newest: ReplicaSet): boolean {
  const wanted = wantedReplicas(deployment);
  return (
    newest.spec?.replicas === wanted &&
    annotatedCount(newest, desiredAnnotation) === wanted &&
    available(newest) === wanted
  );
}

export function byCreation(one: ReplicaSet, other: ReplicaSet): number {
  const [a, b] = [one.metadata.creationTimestamp ?? "", other.metadata.creationTimestamp ?? ""];
  if (a !== b) return a < b ? -1 : 1;
  return nameOf(one) < nameOf(other) ? -1 : 1;
}

function totalOf(sets: readonly ReplicaSet[], sizes: Sizes): number {
  return sets.reduce((sum, set) => sum + sizes.of(set), 0);
}

function available(set: ReplicaSet): number {
  return set.status?.availableReplicas ?? 0;
}
