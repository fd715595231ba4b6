import type { Pod } from "#api/generated/types.ts";
import { keyOf } from "#api/meta.ts";
import type { Informer } from "#client/informer.ts";
import { isPodActive, isPodTerminating, podConditionOf } from "#controllers/pods/pod-state.ts";
import { canonicalJson } from "#controllers/same-json.ts";
import { controllerRefOf } from "#reconcile/owners.ts";

/**
 * What an owner of many pods must know of them, kept current change by change: a pass over 10,000 pods need not look
 * at one of them. Pods of one owner are grouped by their labels; nearly always all are in one group.
 */
export interface PodGroup {
  readonly labels: Readonly<Record<string, string>> | undefined;
  /** Keys of all pods, ended ones too. */
  readonly keys: ReadonlySet<string>;
  /** Pods that neither ended nor are being deleted. */
  readonly activeCount: number;
  readonly terminatingCount: number;
  /** Active pods that are ready, and since when (ms; NaN where that is not known). */
  readonly readySinceMs: ReadonlyMap<string, number>;
}

/** Follows the pods whose controller is of this kind; the function returns the groups of an owner's uid. */
export function tallyPods(
  informer: Informer<Pod>,
  ownerKind: string,
): (uid: string) => readonly PodGroup[] {
  const owners = new Map<string, Map<string, MutableGroup>>();
  const places = new Map<string, Place>();
  informer.onChange(({ kind, object }) => {
    const key = keyOf(object);
    const place = places.get(key);
    if (place) leave(owners, key, place);
    const owner = controllerRefOf(object);
    if (kind !== "deleted" && owner?.kind === ownerKind) {
      places.set(key, enter(owners, owner.uid, object));
    } else if (place) places.delete(key);
  });
  return (uid) => [...(owners.get(uid)?.values() ?? [])];
}

interface MutableGroup extends PodGroup {
  readonly text: string;
  readonly keys: Set<string>;
  activeCount: number;
  terminatingCount: number;
  readonly readySinceMs: Map<string, number>;
}

/** Where a pod is counted. */
interface Place {
  readonly owner: string;
  readonly group: MutableGroup;
  readonly active: boolean;
  readonly terminating: boolean;
}

type Owners = Map<string, Map<string, MutableGroup>>;

function enter(owners: Owners, owner: string, pod: Pod): Place {
  const key = keyOf(pod);
  const group = groupOf(owners, owner, pod);
  const active = isPodActive(pod);
  const terminating = isPodTerminating(pod);
  group.keys.add(key);
  if (active) group.activeCount++;
  if (terminating) group.terminatingCount++;
  const ready = active ? podConditionOf(pod, "Ready") : undefined;
  if (ready?.status === "True") {
    group.readySinceMs.set(key, Date.parse(ready.lastTransitionTime ?? ""));
  }
  return { owner, group, active, terminating };
}

function leave(owners: Owners, key: string, { owner, group, active, terminating }: Place): void {
  group.keys.delete(key);
  group.readySinceMs.delete(key);
  if (active) group.activeCount--;
  if (terminating) group.terminatingCount--;
  if (group.keys.size > 0) return;
  const groups = owners.get(owner);
  groups?.delete(group.text);
  if (groups?.size === 0) owners.delete(owner);
}

function groupOf(owners: Owners, owner: string, pod: Pod): MutableGroup {
  const { labels } = pod.metadata;
  const groups = owners.get(owner) ?? new Map<string, MutableGroup>();
  owners.set(owner, groups);
  const text = canonicalJson(labels ?? {});
  const known = groups.get(text);
  if (known) return known;
  const group: MutableGroup = {
    text,
    labels,
    keys: new Set(),
    activeCount: 0,
    terminatingCount: 0,
    readySinceMs: new Map(),
  };
  groups.set(text, group);
  return group;
}
