import { networkInterfaces } from "node:os";
import { nodes } from "#api/resources.ts";
import type { Clock } from "#base/clock.ts";
import { messageOf, type Log } from "#base/log.ts";
import type { Informers } from "#client/informers.ts";
import { parseRoutes, planRouteChanges, planRoutes } from "#network/routes/plan-routes.ts";
import type { Run } from "#network/run.ts";

export interface NodeRoutesParts {
  readonly informers: Informers;
  readonly nodeName: string;
  readonly clusterPodCidr: string;
  readonly run: Run;
  readonly clock: Clock;
  readonly log: Log;
}

/** Marks Kogge's routes in the kernel's table, so that they are known again after a crash. */
const protocol = "86";
/** Changes within this time go to the kernel together. */
const gatherMs = 50;
const retryMs = 10_000;

/**
 * Keeps a route to the pods of every other node, by that node's address. That works where nodes reach each other
 * directly (one network segment); for nodes behind a router it says in the log which routes the router needs.
 */
export function createNodeRoutes(parts: NodeRoutesParts): AsyncDisposable {
  const { informers, run, clock, log, clusterPodCidr } = parts;
  const informer = informers.of(nodes);
  const told = new Set<string>();
  let cancel: (() => void) | undefined;
  let working: Promise<void> = Promise.resolve();
  let closed = false;

  const later = (delayMs: number): void => {
    if (closed || cancel) return;
    cancel = clock.after(delayMs, () => {
      cancel = undefined;
      working = working.then(reconcile);
    });
  };

  const reconcile = async (): Promise<void> => {
    if (closed) return;
    try {
      const shown = await run("ip", [
        "-4",
        "route",
        "show",
        "root",
        clusterPodCidr,
        "proto",
        protocol,
      ]);
      const wanted = planRoutes({ ...parts, nodes: informer.list(), ownAddresses: ownAddresses() });
      for (const change of planRouteChanges(wanted, parseRoutes(shown))) await apply(change);
    } catch (error) {
      log.warn("routes to other nodes not kept", { reason: messageOf(error) });
      later(retryMs);
    }
  };

  const apply = async (change: ReturnType<typeof planRouteChanges>[number]): Promise<void> => {
    const { act, podCidr, via } = change;
    const verb = act === "add" ? "replace" : "delete";
    try {
      await run("ip", ["route", verb, podCidr, "via", via, "proto", protocol]);
      told.delete(podCidr);
      log.info("route to another node", { act, podCidr, via });
    } catch (error) {
      if (!told.has(podCidr)) {
        const reason = messageOf(error);
        log.warn("no route to the pods of another node", { podCidr, via, reason });
      }
      told.add(podCidr);
      later(retryMs);
    }
  };

  const listening = informer.onChange((change) => {
    if (change.kind !== "modified" || routeOf(change.old) !== routeOf(change.object))
      later(gatherMs);
  });
  return {
    async [Symbol.asyncDispose]() {
      closed = true;
      listening[Symbol.dispose]();
      cancel?.();
      await working;
    },
  };
}

/** Removes the routes that were left, also after a crash. */
export async function removeNodeRoutes(clusterPodCidr: string, run: Run): Promise<void> {
  const shown = await run("ip", ["-4", "route", "show", "root", clusterPodCidr, "proto", protocol]);
  for (const { podCidr, via } of parseRoutes(shown)) {
    await run("ip", ["route", "delete", podCidr, "via", via, "proto", protocol]);
  }
}

function ownAddresses(): ReadonlySet<string> {
  const all = Object.values(networkInterfaces()).flatMap((addresses) => addresses ?? []);
  return new Set(all.map(({ address }) => address));
}

/** What of a node a route is made of. */
function routeOf({ spec, status }: { spec?: { podCIDR?: string }; status?: object }): string {
  return JSON.stringify([spec?.podCIDR, status && Reflect.get(status, "addresses")]);
}
