import type { Pod } from "#api/generated/types.ts";
import { namespaceOf, uidOf } from "#api/meta.ts";
import type { Clock } from "#base/clock.ts";
import type { Plugin, Rejection } from "#scheduler/framework.ts";

/** The label that makes pods a group, and the annotation that says how many of them must start together. */
const groupLabel = "scheduling.kogge.dev/pod-group";
const minAnnotation = "scheduling.kogge.dev/pod-group-min";

/** So long those that have a node wait for the others; then all give theirs back. */
const waitMs = 60_000;

/** Pods by their group: `namespace/group`. */
export const podGroupIndex = {
  podGroup: (pod: Pod): readonly string[] => {
    const key = groupOf(pod)?.key;
    return key === undefined ? [] : [key];
  },
};

export interface PodGroupParts {
  readonly clock: Clock;
  /** The group's pods as the API server has them. */
  readonly podsOf: (key: string) => Iterable<Pod>;
}

interface Waiting {
  readonly members: Map<string, (rejection: Rejection | undefined) => void>;
  readonly cancel: () => void;
}

/** Pods of a group are bound once so many of them have a node as the group needs, and none before. */
export function createPodGroup({ clock, podsOf }: PodGroupParts): Plugin {
  const groups = new Map<string, Waiting>();
  /** Uids of pods that were let through and may not yet be seen on their node. */
  const released = new Set<string>();

  const settle = (key: string, rejection: Rejection | undefined): void => {
    const group = groups.get(key);
    groups.delete(key);
    group?.cancel();
    for (const [uid, resolve] of group?.members ?? []) {
      if (rejection === undefined) released.add(uid);
      resolve(rejection);
    }
  };

  const placed = (key: string): number => {
    let count = 0;
    for (const pod of podsOf(key)) {
      const uid = uidOf(pod);
      const isBound = Boolean(pod.spec?.nodeName);
      if (isBound) released.delete(uid);
      if (isBound || released.has(uid) || groups.get(key)?.members.has(uid)) count++;
    }
    return count;
  };

  const waitingOf = (key: string, min: number): Waiting => {
    const giveUp = (): void => {
      const reason = `pod group "${key}" has ${placed(key)} of ${min} pods placed after ${waitMs / 1000} s`;
      settle(key, { reasons: [reason], unresolvable: true });
    };
    const group = groups.get(key) ?? { members: new Map(), cancel: clock.after(waitMs, giveUp) };
    groups.set(key, group);
    return group;
  };

  return {
    name: "PodGroup",
    permit({ pod, placed: { uid } }) {
      const group = groupOf(pod);
      if (group === undefined) return undefined;
      const { key, min } = group;
      const { members } = waitingOf(key, min);
      const { promise, resolve } = Promise.withResolvers<Rejection | undefined>();
      members.set(uid, resolve);
      if (placed(key) >= min) settle(key, undefined);
      return promise;
    },
    unreserve({ pod, placed: { uid } }) {
      released.delete(uid);
      const group = groupOf(pod);
      if (group) groups.get(group.key)?.members.delete(uid);
    },
  };
}

function groupOf(pod: Pod): { readonly key: string; readonly min: number } | undefined {
  const name = pod.metadata.labels?.[groupLabel];
  const min = Number(pod.metadata.annotations?.[minAnnotation] ?? 1);
  if (!name || !Number.isInteger(min) || min < 2) return undefined;
  return { key: `${namespaceOf(pod)}/${name}`, min };
}
