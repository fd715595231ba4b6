import type { EndpointSlice } from "#api/generated/types.ts";
import { keyOf, parseKey } from "#api/meta.ts";
import { endpoints, endpointSlices, services } from "#api/resources.ts";
import { applySlices } from "#controllers/endpoint-slice/apply-slices.ts";
import {
  isMirrored,
  managedByLabel,
  mirroredBy,
  planMirroring,
  serviceNameLabel,
} from "#controllers/endpoint-slice-mirroring/plan-mirroring.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { selectsPods } from "#controllers/service-pods/service-pods.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";

/** Keeps endpoint slices for the Endpoints that somebody makes by hand for a service without a selector. */
export function createMirroringController(kit: ControllerKit): Controller {
  const { client, informers, clock, log } = kit;
  const informer = informers.of(endpoints);
  const serviceInformer = informers.of(services);
  const sliceInformer = informers.of(endpointSlices, { mirror: mirrorOf });

  const reconcile = async (key: string, { signal }: Run): Promise<void> => {
    const object = informer.get(parseKey(key));
    const service = serviceInformer.get(parseKey(key));
    const slices = [...sliceInformer.byIndex("mirror", key)];
    const mirrored = object && service && !selectsPods(service) && isMirrored(object);
    const plan = mirrored
      ? planMirroring(object, slices)
      : { create: [], update: [], delete: slices };
    await applySlices(client, plan, signal);
  };

  return createController({
    name: "endpointslicemirroring",
    reads: ["endpoints", "services", "endpointslices.discovery.k8s.io"],
    writes: [{ resource: "endpointslices.discovery.k8s.io", fields: "*", of: "of Endpoints" }],
    sources: [
      keysFrom(informer, ({ object }) => [keyOf(object)]),
      keysFrom(serviceInformer, ({ object }) => [keyOf(object)]),
      keysFrom(sliceInformer, ({ object }) => mirrorOf(object)),
    ],
    reconcile,
    clock,
    log,
  });
}

function mirrorOf({ metadata }: EndpointSlice): readonly string[] {
  const { labels = {}, namespace = "" } = metadata;
  return labels[managedByLabel] === mirroredBy
    ? [`${namespace}/${labels[serviceNameLabel] ?? ""}`]
    : [];
}
