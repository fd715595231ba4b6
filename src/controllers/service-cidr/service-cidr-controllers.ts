import type { Condition, IPAddress, Service, ServiceCIDR } from "#api/generated/types.ts";
import { keyOf, nameOf, namespaceOf } from "#api/meta.ts";
import { ipAddresses, serviceCIDRs, services } from "#api/resources.ts";
import { ifFound, isAlreadyExists } from "#api/status.ts";
import { rfc3339 } from "#base/clock.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { isWithin } from "#controllers/service-cidr/is-within.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";

const finalizer = "networking.k8s.io/service-cidr-finalizer";
const managedBy = "ipallocator.k8s.io";

/** Says that ranges of service addresses are ready, and keeps one that is deleted while addresses of it are in use. */
export function createServiceCidrController(kit: ControllerKit): Controller {
  const { client, informers, clock, log } = kit;
  const informer = informers.of(serviceCIDRs);
  const addressInformer = informers.of(ipAddresses);

  const reconcile = async (name: string, { signal }: Run): Promise<void> => {
    const cidr = informer.get({ name });
    if (cidr === undefined) return;
    if (cidr.metadata.deletionTimestamp === undefined) {
      const kept = await protect(cidr, signal);
      const message = "Kubernetes Service CIDR is ready";
      return writeCondition(kept, { status: "True", reason: "", message }, signal);
    }
    if (!cidr.metadata.finalizers?.includes(finalizer)) return;
    if (isInUse(cidr)) {
      const message =
        "There are still IPAddresses referencing the ServiceCIDR, please remove them or create a new ServiceCIDR";
      return writeCondition(cidr, { status: "False", reason: "Terminating", message }, signal);
    }
    const finalizers = cidr.metadata.finalizers.filter((one) => one !== finalizer);
    const next = { ...cidr, metadata: { ...cidr.metadata, finalizers } };
    await client.update(serviceCIDRs, next, { signal });
  };

  const protect = async (cidr: ServiceCIDR, signal: AbortSignal): Promise<ServiceCIDR> => {
    const { finalizers = [] } = cidr.metadata;
    if (finalizers.includes(finalizer)) return cidr;
    const metadata = { ...cidr.metadata, finalizers: [...finalizers, finalizer] };
    return client.update(serviceCIDRs, { ...cidr, metadata }, { signal });
  };

  /** Whether an address of it is in no other range. */
  const isInUse = (cidr: ServiceCIDR): boolean => {
    const others = [...informer.list()].filter(
      (one) => one !== cidr && one.metadata.deletionTimestamp === undefined,
    );
    const holds = ({ spec }: ServiceCIDR, ip: string): boolean =>
      (spec?.cidrs ?? []).some((range) => isWithin(ip, range));
    for (const address of addressInformer.list()) {
      const ip = nameOf(address);
      if (holds(cidr, ip) && !others.some((one) => holds(one, ip))) return true;
    }
    return false;
  };

  const writeCondition = async (
    cidr: ServiceCIDR,
    said: Pick<Condition, "status" | "reason" | "message">,
    signal: AbortSignal,
  ): Promise<void> => {
    const known = cidr.status?.conditions?.find(({ type }) => type === "Ready");
    if (known?.status === said.status && known.message === said.message) return;
    const condition = { type: "Ready", ...said, lastTransitionTime: rfc3339(clock.now()) };
    const next = { ...cidr, status: { conditions: [condition] } };
    await client.update(serviceCIDRs, next, { subresource: "status", signal });
  };

  return createController({
    name: "service-cidr",
    reads: ["servicecidrs.networking.k8s.io", "ipaddresses.networking.k8s.io"],
    writes: [
      { resource: "servicecidrs.networking.k8s.io", fields: "status" },
      { resource: "servicecidrs.networking.k8s.io", fields: "metadata.finalizers" },
    ],
    sources: [
      keysFrom(informer, ({ object }) => [
        nameOf(object),
        ...Array.from(informer.list(), (one) => nameOf(one)),
      ]),
      keysFrom(addressInformer, ({ kind }) =>
        kind === "deleted" ? Array.from(informer.list(), (one) => nameOf(one)) : [],
      ),
    ],
    reconcile,
    clock,
    log,
  });
}

/** Keeps an IPAddress for each address that a service has, and none besides. */
export function createIpAddressController(kit: ControllerKit): Controller {
  const { client, informers, clock, log } = kit;
  const serviceInformer = informers.of(services, { address: addressesOf });
  const informer = informers.of(ipAddresses);

  const reconcile = async (ip: string, { signal }: Run): Promise<void> => {
    const [service] = serviceInformer.byIndex("address", ip);
    const known = informer.get({ name: ip });
    const isOurs = known?.metadata.labels?.["ipaddress.kubernetes.io/managed-by"] === managedBy;
    if (service === undefined) {
      if (isOurs) await ifFound(client.delete(ipAddresses, { name: ip }, { signal }));
    } else if (known === undefined) {
      await client.create(ipAddresses, addressFor(service, ip), { signal }).catch(taken);
    } else if (isOurs && !isOf(known, service)) {
      // The reference cannot be changed: the former service's goes first.
      await ifFound(client.delete(ipAddresses, { name: ip }, { signal }));
    }
  };

  return createController({
    name: "ip-address",
    reads: ["services", "ipaddresses.networking.k8s.io"],
    writes: [{ resource: "ipaddresses.networking.k8s.io", fields: "*", of: "of Services" }],
    sources: [
      keysFrom(serviceInformer, (change) => [
        ...addressesOf(change.object),
        ...(change.kind === "modified" ? addressesOf(change.old) : []),
      ]),
      keysFrom(informer, ({ object }) => [nameOf(object)]),
    ],
    reconcile,
    clock,
    log,
  });
}

function addressesOf({ spec }: Service): readonly string[] {
  return (spec?.clusterIPs ?? []).filter((ip) => ip !== "" && ip !== "None");
}

function addressFor(service: Service, ip: string): IPAddress {
  return {
    apiVersion: "networking.k8s.io/v1",
    kind: "IPAddress",
    metadata: {
      name: ip,
      labels: {
        "ipaddress.kubernetes.io/ip-family": ip.includes(":") ? "IPv6" : "IPv4",
        "ipaddress.kubernetes.io/managed-by": managedBy,
      },
    },
    spec: {
      parentRef: {
        resource: "services",
        namespace: namespaceOf(service),
        name: nameOf(service),
      },
    },
  };
}

function isOf({ spec }: IPAddress, service: Service): boolean {
  const reference = spec?.parentRef;
  return `${reference?.namespace ?? ""}/${reference?.name ?? ""}` === keyOf(service);
}

function taken(error: unknown): void {
  if (!isAlreadyExists(error)) throw error;
}
