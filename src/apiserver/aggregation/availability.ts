import type { APIServiceCondition, EndpointSlice, Service } from "#api/generated/types.ts";
import type { ServiceReference } from "#apiserver/service-address.ts";

export type Finding = Pick<APIServiceCondition, "status" | "reason" | "message">;

/** What is known of a service without asking it. */
export interface ServiceFacts {
  readonly service: Service | undefined;
  readonly slices: readonly EndpointSlice[];
}

/** Why a service cannot be reached; undefined where it is worth asking. The words are upstream's. */
export function serviceProblem(
  { namespace, name, port }: ServiceReference,
  { service, slices }: ServiceFacts,
): Finding | undefined {
  const at = `service/${name} in ${JSON.stringify(namespace)}`;
  if (service === undefined) return unavailable("ServiceNotFound", `${at} is not present`);
  if ((service.spec?.type ?? "ClusterIP") !== "ClusterIP") return undefined;
  const wanted = service.spec?.ports?.find((one) => one.port === port);
  if (wanted === undefined) {
    return unavailable("ServicePortError", `${at} is not listening on port ${port}`);
  }
  if (slices.length === 0) {
    return unavailable("EndpointsNotFound", `cannot find endpointslices for ${at}`);
  }
  const portName = wanted.name ?? "";
  if (slices.some((slice) => isServing(slice, portName))) return undefined;
  return unavailable(
    "MissingEndpoints",
    `endpointslices for ${at} have no addresses with port name ${JSON.stringify(portName)}`,
  );
}

function isServing({ endpoints, ports }: EndpointSlice, portName: string): boolean {
  return (
    (endpoints ?? []).some(({ conditions }) => conditions?.ready !== false) &&
    (ports ?? []).some(({ name, port }) => (name ?? "") === portName && port !== undefined)
  );
}

export function unavailable(reason: string, message: string): Finding {
  return { status: "False", reason, message };
}

export const passed: Finding = {
  status: "True",
  reason: "Passed",
  message: "all checks passed",
};
