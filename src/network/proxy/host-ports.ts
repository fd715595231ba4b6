import type { Pod } from "#api/generated/types.ts";
import { keyOf } from "#api/meta.ts";
import type { ServiceRule } from "#network/datapath.ts";

/** What a node forwards for the `hostPort`s of a pod on it: all its addresses, or the one that `hostIP` names. */
export function hostPortRules(pod: Pod): readonly ServiceRule[] {
  const ip = pod.status?.podIP;
  const ended = pod.status?.phase === "Succeeded" || pod.status?.phase === "Failed";
  if (!ip || ended || pod.spec?.hostNetwork) return [];
  const containers = [...(pod.spec?.containers ?? []), ...sidecarsOf(pod)];
  return containers
    .flatMap((container) => container.ports ?? [])
    .flatMap((port): readonly ServiceRule[] => {
      if (!port.hostPort) return [];
      const anywhere = !port.hostIP || port.hostIP === "0.0.0.0";
      const protocol = (port.protocol ?? "TCP") as ServiceRule["protocol"];
      return [
        {
          name: `${keyOf(pod)}:${port.hostIP ?? ""}:${port.hostPort} (host)`,
          protocol,
          clusterIps: [],
          port: port.hostPort,
          externalIps: anywhere ? [] : [port.hostIP],
          ...(anywhere && { nodePort: port.hostPort }),
          endpoints: [{ ip, port: port.containerPort }],
        },
      ];
    });
}

/** Init containers that run as long as the pod. */
function sidecarsOf(pod: Pod): NonNullable<Pod["spec"]>["containers"] {
  return (pod.spec?.initContainers ?? []).filter(
    (container) => container.restartPolicy === "Always",
  );
}
