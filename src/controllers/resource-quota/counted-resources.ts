import type { KubeObject } from "#api/meta.ts";
import { sameAmounts } from "#api/quota/amounts.ts";
import { usageOf, type Counted } from "#api/quota/usage.ts";
import { discoverResources } from "#client/discovery.ts";
import type { Change, Informer } from "#client/informer.ts";
import type { ControllerKit } from "#controllers/parts.ts";

export interface CountedResources extends Disposable {
  /** Resolves to undefined while the resource is not served. */
  informerOf(counted: Counted): Promise<Informer<KubeObject> | undefined>;
}

/** Which change of what concerns quotas. */
export type OnUsage = (counted: Counted, change: Change<KubeObject>) => void;

/** Follows resources from the moment that the first quota counts them. */
export function createCountedResources(
  { client, informers, clock, signal }: ControllerKit,
  onUsage: OnUsage,
): CountedResources {
  const followed = new Map<string, Promise<Informer<KubeObject> | undefined>>();
  const listening: Disposable[] = [];
  let closed = false;
  const follow = async (counted: Counted): Promise<Informer<KubeObject> | undefined> => {
    const served = await discoverResources(client, signal);
    const found = served.find(
      ({ group, resource, verbs }) =>
        group === counted.group && resource === counted.resource && verbs.includes("watch"),
    );
    if (found === undefined || closed) return undefined;
    const informer = informers.of<KubeObject>(found);
    await informer.synced;
    const change = informer.onChange((one) => {
      if (isOfConcern(counted, one, clock.now())) onUsage(counted, one);
    });
    if (closed) change[Symbol.dispose]();
    else listening.push(change);
    return informer;
  };
  return {
    informerOf: async (counted) => {
      const key = `${counted.resource}.${counted.group}`;
      const known = followed.get(key) ?? follow(counted);
      followed.set(key, known);
      try {
        const informer = await known;
        if (informer === undefined) followed.delete(key);
        return informer;
      } catch (error) {
        followed.delete(key);
        throw error;
      }
    },
    [Symbol.dispose]: () => {
      closed = true;
      for (const one of listening.splice(0)) one[Symbol.dispose]();
    },
  };
}

/** Pods change often, and seldom what they use. */
function isOfConcern(counted: Counted, change: Change<KubeObject>, nowMs: number): boolean {
  if (change.kind !== "modified") return true;
  const [before, after] = [
    usageOf(counted, change.old, nowMs),
    usageOf(counted, change.object, nowMs),
  ];
  return !sameAmounts(before, after) || deadlineOf(change.old) !== deadlineOf(change.object);
}

/** Whether a pod has one decides about its scope. */
function deadlineOf(object: KubeObject): unknown {
  const { spec } = object as { readonly spec?: { readonly activeDeadlineSeconds?: number } };
  return spec?.activeDeadlineSeconds;
}
