import type { Endpoints } from "#api/generated/types.ts";
import { keyOf, parseKey } from "#api/meta.ts";
import { endpoints, pods, services } from "#api/resources.ts";
import { ifFound, isAlreadyExists } from "#api/status.ts";
import { planEndpoints } from "#controllers/endpoints/plan-endpoints.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { isNamespaceTerminating } from "#controllers/pods/pod-control.ts";
import { sameJson } from "#controllers/same-json.ts";
import { selectsPods, servicesTouchedBy } from "#controllers/service-pods/service-pods.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";

/** Keeps the Endpoints of each service with a selector: the older form of endpoint slices, for older readers. */
export function createEndpointsController(kit: ControllerKit): Controller {
  const { client, informers, clock, log } = kit;
  const serviceInformer = informers.of(services);
  const podInformer = informers.of(pods);
  const informer = informers.of(endpoints);

  const reconcile = async (key: string, run: Run): Promise<void> => {
    const { signal } = run;
    const at = parseKey(key);
    const service = serviceInformer.get(at);
    const current = informer.get(at);
    if (service === undefined) {
      if (current && isOurs(current)) await ifFound(client.delete(endpoints, at, { signal }));
      return;
    }
    if (!selectsPods(service)) return;
    run.rest(current?.subsets?.[0]?.addresses?.length ?? 0);
    const wanted = planEndpoints(service, podInformer.list(at.namespace), current);
    try {
      if (current === undefined) await client.create(endpoints, wanted, { signal });
      else if (!sameJson(wanted, current)) await client.update(endpoints, wanted, { signal });
    } catch (error) {
      if (!isNamespaceTerminating(error) && !isAlreadyExists(error)) throw error;
    }
  };

  return createController({
    name: "endpoint",
    reads: ["services", "pods", "endpoints"],
    writes: [{ resource: "endpoints", fields: "*", of: "of Services with a selector" }],
    sources: [
      keysFrom(serviceInformer, ({ object }) => [keyOf(object)]),
      keysFrom(podInformer, (change) => servicesTouchedBy(change, serviceInformer)),
      keysFrom(informer, ({ object }) => (isOurs(object) ? [keyOf(object)] : [])),
    ],
    reconcile,
    clock,
    log,
  });
}

function isOurs({ metadata }: Endpoints): boolean {
  return metadata.labels?.["endpoints.kubernetes.io/managed-by"] === "endpoint-controller";
}
