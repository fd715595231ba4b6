import type { EndpointSlice, Node } from "#api/generated/types.ts";
import { keyOf, nameOf, namespaceOf, parseKey } from "#api/meta.ts";
import { endpointSlices, nodes, pods, services } from "#api/resources.ts";
import { applySlices } from "#controllers/endpoint-slice/apply-slices.ts";
import {
  managedBy,
  managedByLabel,
  planEndpointSlices,
  serviceNameLabel,
} from "#controllers/endpoint-slice/plan-endpoint-slices.ts";
import type { Change } from "#client/informer.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { podNodeIndex } from "#controllers/pods/pod-node-index.ts";
import { selectsPods, servicesTouchedBy } from "#controllers/service-pods/service-pods.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";

/** Keeps the endpoint slices of each service with a selector. */
export function createEndpointSliceController(kit: ControllerKit): Controller {
  const { client, informers, clock, log } = kit;
  const serviceInformer = informers.of(services);
  const podInformer = informers.of(pods, podNodeIndex);
  const nodeInformer = informers.of(nodes);
  const informer = informers.of(endpointSlices, { byService });

  const reconcile = async (key: string, run: Run): Promise<void> => {
    const { signal } = run;
    const service = serviceInformer.get(parseKey(key));
    // Slices of a service that is gone are garbage: they name it as their owner.
    if (!service || service.metadata.deletionTimestamp || !selectsPods(service)) return;
    const slices = [...informer.byIndex("byService", key)];
    const plan = planEndpointSlices({
      service,
      pods: podInformer.list(namespaceOf(service)),
      slices,
      zoneOf: (name) => zoneOf(nodeInformer.get({ name })),
    });
    run.rest(slices.reduce((sum, slice) => sum + (slice.endpoints?.length ?? 0), 0));
    await applySlices(client, plan, signal);
  };

  /** A node's zone is said of the endpoints on it. */
  const servicesOnNode = function* (change: Change<Node>): Generator<string> {
    if (change.kind === "deleted") return;
    if (change.kind === "modified" && zoneOf(change.old) === zoneOf(change.object)) return;
    for (const object of podInformer.byIndex("node", nameOf(change.object))) {
      yield* servicesTouchedBy({ kind: "added", object }, serviceInformer);
    }
  };

  return createController({
    name: "endpointslice",
    reads: ["services", "pods", "nodes", "endpointslices.discovery.k8s.io"],
    writes: [{ resource: "endpointslices.discovery.k8s.io", fields: "*", of: "of Services" }],
    sources: [
      keysFrom(serviceInformer, ({ object }) => [keyOf(object)]),
      keysFrom(podInformer, (change) => servicesTouchedBy(change, serviceInformer)),
      keysFrom(informer, ({ object }) => byService(object)),
      keysFrom(nodeInformer, servicesOnNode),
    ],
    reconcile,
    clock,
    log,
  });
}

function zoneOf(node: Node | undefined): string | undefined {
  return node?.metadata.labels?.["topology.kubernetes.io/zone"];
}

function byService(slice: EndpointSlice): readonly string[] {
  const labels = slice.metadata.labels ?? {};
  if (labels[managedByLabel] !== managedBy) return [];
  return [`${namespaceOf(slice)}/${labels[serviceNameLabel] ?? ""}`];
}
