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
import {
  wantsTopologyHints,
  zoneFacts,
  zoneShares,
} from "#controllers/endpoint-slice/topology-hints.ts";
import type { Change } from "#client/informer.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { podNodeIndex } from "#controllers/pods/pod-node-index.ts";
import { sameJson } from "#controllers/same-json.ts";
import { selectsPods, servicesTouchedBy } from "#controllers/service-pods/service-pods.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";

/** Keeps the endpoint slices of each service with a selector. */
export function createEndpointSliceController(kit: ControllerKit): Controller {
  const { client, informers, clock, log } = kit;
  const serviceInformer = informers.of(services);
  const podInformer = informers.of(pods, podNodeIndex);
  const nodeInformer = informers.of(nodes);
  const informer = informers.of(endpointSlices, { byService });
  const recorder = kit.recorder("endpoint-slice-controller");

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
      zoneShares: () => zoneShares(nodeInformer.list()),
    });
    for (const event of plan.events ?? []) recorder.record(service, event);
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

  /** Endpoints are dealt to zones by the CPU of all nodes. */
  const servicesOfZones = function* (change: Change<Node>): Generator<string> {
    const isSame =
      change.kind === "modified" && sameJson(zoneFacts(change.old), zoneFacts(change.object));
    if (isSame) return;
    for (const service of serviceInformer.list()) {
      if (wantsTopologyHints(service)) yield keyOf(service);
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
      keysFrom(nodeInformer, servicesOfZones),
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
