import type { EndpointSlice, Endpoints, Service } from "#api/generated/types.ts";
import { resourcePrefix } from "#apiserver/cache/store-cache.ts";
import type { ServerState } from "#apiserver/server-state.ts";

export interface ServiceReference {
  readonly namespace: string;
  readonly name: string;
  readonly port: number;
}

export interface Address {
  readonly host: string;
  readonly port: number;
}

/**
 * Where the API server reaches a service: one of its ready endpoints, drawn anew each time so that all get their
 * share; the name of an external one. Throws an `Error` in upstream's words.
 */
export function addressOf(server: ServerState, reference: ServiceReference): Address {
  const { name, port } = reference;
  const service = objectAt(server, servicesPrefix, reference) as Service | undefined;
  if (service === undefined) throw new Error(`service ${JSON.stringify(name)} not found`);
  const { spec } = service;
  if (spec?.type === "ExternalName") return { host: spec.externalName ?? "", port };
  const wanted = spec?.ports?.find((one) => one.port === port);
  if (wanted === undefined) {
    throw new Error(`no service port ${port} found for service ${JSON.stringify(name)}`);
  }
  const ready = [
    ...fromSlices(server, reference, wanted.name ?? ""),
    ...fromEndpoints(server, reference, wanted.name ?? ""),
  ];
  const chosen = ready[Math.floor(server.random() * ready.length)];
  if (chosen !== undefined) return chosen;
  throw new Error(`no endpoints available for service ${JSON.stringify(name)}`);
}

const servicesPrefix = resourcePrefix({ group: "", resource: "services" });
const endpointsPrefix = resourcePrefix({ group: "", resource: "endpoints" });
const slicesPrefix = resourcePrefix({ group: "discovery.k8s.io", resource: "endpointslices" });

function fromSlices(
  { cache }: ServerState,
  { namespace, name }: ServiceReference,
  portName: string,
): Address[] {
  const slices = cache
    .resource(slicesPrefix)
    .list(`${slicesPrefix}${namespace}/`)
    .filter((stored) => stored.labels["kubernetes.io/service-name"] === name);
  return slices.flatMap((stored) => {
    const slice = stored.object as unknown as EndpointSlice;
    const port = slice.ports?.find((one) => (one.name ?? "") === portName)?.port;
    if (port === undefined) return [];
    return (slice.endpoints ?? [])
      .filter(({ conditions }) => conditions?.ready !== false)
      .flatMap(({ addresses: [host] }) => (host === undefined ? [] : [{ host, port }]));
  });
}

/** Of a service without selector whose endpoints somebody wrote in the older form. */
function fromEndpoints(
  server: ServerState,
  reference: ServiceReference,
  portName: string,
): Address[] {
  const found = objectAt(server, endpointsPrefix, reference) as Endpoints | undefined;
  return (found?.subsets ?? []).flatMap((subset) => {
    const port = subset.ports?.find((one) => (one.name ?? "") === portName)?.port;
    if (port === undefined) return [];
    return (subset.addresses ?? []).map(({ ip }) => ({ host: ip, port }));
  });
}

function objectAt(
  { cache }: ServerState,
  prefix: string,
  { namespace, name }: ServiceReference,
): unknown {
  return cache.resource(prefix).get(`${prefix}${namespace}/${name}`)?.object;
}
