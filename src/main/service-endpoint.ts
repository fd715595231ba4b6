import type { JsonObject } from "#api/kind.ts";
import type { EndpointSlice, Service } from "#api/generated/types.ts";

/**
 * A ready endpoint of a service's port, for the API's service proxy. `port` is the port's name or number; the only or
 * unnamed one when absent.
 */
export function serviceEndpoint(
  object: JsonObject,
  slices: readonly EndpointSlice[],
  port: string | undefined,
): { readonly ip: string; readonly port: number } | undefined {
  const service = object as unknown as Service;
  const ports = service.spec?.ports ?? [];
  const wanted =
    port === undefined
      ? ports[0]
      : ports.find((one) => one.name === port || String(one.port) === port);
  if (wanted === undefined) return undefined;
  const candidates = slices.flatMap((slice) => {
    const number = slice.ports?.find((one) => (one.name ?? "") === (wanted.name ?? ""))?.port;
    const ready = (slice.endpoints ?? []).filter(
      (endpoint) => endpoint.conditions?.ready !== false,
    );
    return number === undefined
      ? []
      : ready.map((endpoint) => ({ ip: endpoint.addresses[0] ?? "", port: number }));
  });
  return candidates.find((candidate) => candidate.ip !== "");
}
