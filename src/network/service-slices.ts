import type { EndpointSlice } from "#api/generated/types.ts";
import { namespaceOf } from "#api/meta.ts";
import { endpointSlices } from "#api/resources.ts";
import type { Informer } from "#client/informer.ts";
import type { Informers } from "#client/informers.ts";

export const serviceNameLabel = "kubernetes.io/service-name";

const serviceIndex = "network/service";
const addressIndex = "network/address";

/** The slices' informer with the indexes that `slicesOf` and `slicesAt` use. */
export function sliceInformer(informers: Informers): Informer<EndpointSlice> {
  return informers.of(endpointSlices, { [serviceIndex]: serviceKeys, [addressIndex]: addresses });
}

/** The slices of the service with this key (`namespace/name`). */
export function slicesOf(informer: Informer<EndpointSlice>, key: string): Iterable<EndpointSlice> {
  return informer.byIndex(serviceIndex, key);
}

/** The slices that hold an endpoint with this address. */
export function slicesAt(informer: Informer<EndpointSlice>, ip: string): Iterable<EndpointSlice> {
  return informer.byIndex(addressIndex, ip);
}

/** The service a slice belongs to, as `namespace/name`. */
export function serviceKeyOf(slice: EndpointSlice): string | undefined {
  const name = slice.metadata.labels?.[serviceNameLabel];
  return name === undefined ? undefined : `${namespaceOf(slice)}/${name}`;
}

function serviceKeys(slice: EndpointSlice): readonly string[] {
  const key = serviceKeyOf(slice);
  return key === undefined ? [] : [key];
}

function addresses(slice: EndpointSlice): readonly string[] {
  return (slice.endpoints ?? []).flatMap((endpoint) => endpoint.addresses);
}
