import type { Pod, Service, ServicePort } from "#api/generated/types.ts";
import { keyOf, nameOf, namespaceOf, type KubeObject } from "#api/meta.ts";
import { labelSetMatcher } from "#api/selector/label-selector.ts";
import type { Change, Informer } from "#client/informer.ts";
import { isPodFinished } from "#controllers/pods/pod-state.ts";

/** Whether pods are found for the service at all: not for one without a selector, nor for an alias. */
export function selectsPods(service: Service): boolean {
  return service.spec?.selector !== undefined && service.spec.type !== "ExternalName";
}

export function isHeadless(service: Service): boolean {
  return service.spec?.clusterIP === "None";
}

/** The pods a service selects that have an address. Pods that are going count only where asked for. */
export function* podsOfService(
  service: Service,
  pods: Iterable<Pod>,
  options: { readonly terminating: boolean },
): Generator<Pod> {
  const matcher = labelSetMatcher(service.spec?.selector ?? {});
  for (const pod of pods) {
    if (!matcher.matches(pod.metadata.labels)) continue;
    if (isPodFinished(pod) || addressesOf(pod).length === 0) continue;
    if (options.terminating || pod.metadata.deletionTimestamp === undefined) yield pod;
  }
}

export function addressesOf(pod: Pod): readonly string[] {
  const several = (pod.status?.podIPs ?? []).flatMap(({ ip }) => (ip ? [ip] : []));
  if (several.length > 0) return several;
  return pod.status?.podIP ? [pod.status.podIP] : [];
}

export function isIpv6(address: string): boolean {
  return address.includes(":");
}

/** The number that a service's port has in a pod: its target, by number or by the name of a container's port. */
export function targetPortOf(pod: Pod, port: ServicePort): number | undefined {
  const target = port.targetPort ?? port.port;
  if (typeof target === "number") return target === 0 ? port.port : target;
  const sidecars = (pod.spec?.initContainers ?? []).filter(
    (container) => container.restartPolicy === "Always",
  );
  for (const container of [...(pod.spec?.containers ?? []), ...sidecars]) {
    const found = container.ports?.find(
      ({ name, protocol = "TCP" }) => name === target && protocol === (port.protocol ?? "TCP"),
    );
    if (found) return found.containerPort;
  }
  return undefined;
}

/** A pod's own name in the service's domain. */
export function hostnameIn(service: Service, pod: Pod): string | undefined {
  const { hostname, subdomain } = pod.spec ?? {};
  const within = namespaceOf(pod) === namespaceOf(service) && subdomain === nameOf(service);
  return hostname && within ? hostname : undefined;
}

/** The services whose endpoints a pod's change may touch. */
export function* servicesTouchedBy(
  change: Change<Pod>,
  services: Informer<Service>,
): Generator<string> {
  if (change.kind === "modified" && !isRelevant(change.old, change.object)) return;
  const forms = change.kind === "modified" ? [change.old, change.object] : [change.object];
  for (const service of services.list(namespaceOf(change.object))) {
    if (!selectsPods(service)) continue;
    const matcher = labelSetMatcher(service.spec?.selector ?? {});
    if (forms.some((pod) => matcher.matches(pod.metadata.labels))) yield keyOf(service);
  }
}

function isRelevant(old: Pod, pod: Pod): boolean {
  return facts(old) !== facts(pod);
}

function facts(pod: Pod): string {
  const ready = pod.status?.conditions?.find((condition) => condition.type === "Ready")?.status;
  const { metadata, spec, status } = pod;
  return JSON.stringify([
    metadata.labels,
    metadata.deletionTimestamp,
    spec?.nodeName,
    status?.phase,
    status?.podIPs ?? status?.podIP,
    ready,
  ]);
}

/** A reference to the pod behind an address. */
export function targetRefOf(pod: KubeObject) {
  const { namespace, name, uid } = pod.metadata;
  return {
    kind: "Pod",
    ...(namespace && { namespace }),
    ...(name && { name }),
    ...(uid && { uid }),
  };
}
