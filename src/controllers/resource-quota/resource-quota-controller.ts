import type { ResourceQuota } from "#api/generated/types.ts";
import { keyOf, namespaceOf, parseKey } from "#api/meta.ts";
import { resourceQuotas } from "#api/resources.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { countedIn, countUsage, type Countable } from "#controllers/resource-quota/count-usage.ts";
import { createCountedResources } from "#controllers/resource-quota/counted-resources.ts";
import { sameJson } from "#controllers/same-json.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";
import type { WorkQueue } from "#reconcile/work-queue.ts";

/**
 * Counts what each quota's namespace uses. The API server notes in the same status what is about to be made; it
 * sends a count back that lacks any of it, and the quota is counted again.
 */
export function createResourceQuotaController(kit: ControllerKit): Controller {
  const { client, informers, clock, log } = kit;
  const quotas = informers.of(resourceQuotas);
  let queue: WorkQueue | undefined;
  const counted = createCountedResources(kit, (resource, change) => {
    for (const quota of quotas.list(namespaceOf(change.object))) {
      if (!countedIn(quota).some((one) => sameJson(one, resource))) continue;
      // What is new was noted before it was made.
      if (change.kind === "added") queue?.addAfter(keyOf(quota), newAfterMs);
      else queue?.add(keyOf(quota));
    }
  });

  const reconcile = async (key: string, run: Run): Promise<void> => {
    const quota = quotas.get(parseKey(key));
    if (quota === undefined) return;
    const countables: Countable[] = [];
    for (const resource of countedIn(quota)) {
      const informer = await counted.informerOf(resource);
      if (informer === undefined) run.requeue(unservedAfterMs);
      else countables.push({ counted: resource, objects: informer.list(namespaceOf(quota)) });
    }
    const current = quotas.get(parseKey(key)) ?? quota;
    await write(current, countables, run);
  };

  const write = async (
    quota: ResourceQuota,
    countables: readonly Countable[],
    { signal }: Run,
  ): Promise<void> => {
    const status = countUsage(quota, countables, clock.now());
    if (sameJson(status, quota.status)) return;
    await client.update(resourceQuotas, { ...quota, status }, { subresource: "status", signal });
  };

  const controller = createController({
    name: "resourcequota",
    reads: ["resourcequotas", "every resource that a quota counts"],
    writes: [{ resource: "resourcequotas", fields: "status" }],
    sources: [
      keysFrom(quotas, (change, own) => {
        queue = own;
        const { object } = change;
        const same = change.kind === "modified" && sameJson(change.old.spec, object.spec);
        if (!same) return [keyOf(object)];
        // Somebody else wrote the status.
        if (!sameJson(object.spec?.hard, object.status?.hard))
          own.addAfter(keyOf(object), straightenAfterMs);
        return [];
      }),
    ],
    reconcile,
    clock,
    log,
  });
  return {
    ...controller,
    start: () => controller.start(),
    synced: () => controller.synced(),
    stop: async () => {
      counted[Symbol.dispose]();
      await controller.stop();
    },
  };
}

/** One count for many that come together. */
const newAfterMs = 1_000;
const straightenAfterMs = 30_000;
/** A resource that a quota counts may be defined later. */
const unservedAfterMs = 30_000;
