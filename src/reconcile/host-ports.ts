import type { Pod } from "#api/generated/types.ts";

/** A port of a node that a container takes. */
export interface HostPort {
  readonly ip: string;
  readonly protocol: string;
  readonly port: number;
}

const everyAddress = "0.0.0.0";

/** The node's ports that a pod takes for as long as it runs; init containers that end take none. */
export function hostPortsOf(pod: Pod): readonly HostPort[] {
  const sidecars = (pod.spec?.initContainers ?? []).filter(
    (container) => container.restartPolicy === "Always",
  );
  return [...(pod.spec?.containers ?? []), ...sidecars].flatMap((container) =>
    (container.ports ?? []).flatMap(({ hostPort, hostIP, protocol }) =>
      hostPort ? [{ ip: hostIP || everyAddress, protocol: protocol || "TCP", port: hostPort }] : [],
    ),
  );
}

/** Two pods cannot have the same port of the same address of a node. */
export function portsClash(one: HostPort, other: HostPort): boolean {
  if (one.port !== other.port || one.protocol !== other.protocol) return false;
  return one.ip === other.ip || one.ip === everyAddress || other.ip === everyAddress;
}

export const noFreePorts = "node(s) didn't have free ports for the requested pod ports";
