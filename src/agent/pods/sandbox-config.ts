import type { Pod } from "#api/generated/types.ts";
import { podContainers } from "#agent/pods/pod-containers.ts";
import { type DnsSettings, podDns } from "#agent/pods/pod-dns.ts";
import { podHostname } from "#agent/pods/pod-hosts.ts";
import { qosClassOf } from "#agent/pods/qos-class.ts";
import { sysctlName } from "#agent/pods/security-admission.ts";
import type { SandboxConfig } from "#agent/runtime/container-runtime.ts";

/** The labels by which a pod's sandboxes and containers are found again, upstream's. */
export const podLabels = {
  name: "io.kubernetes.pod.name",
  namespace: "io.kubernetes.pod.namespace",
  uid: "io.kubernetes.pod.uid",
  container: "io.kubernetes.container.name",
} as const;

export function sandboxConfig(
  pod: Pod,
  parts: {
    readonly attempt: number;
    readonly logDirectory: string;
    readonly dns: DnsSettings;
    /** `/kogge-…`: each pod's containers get a group below it. Absent: the runtime's own place. */
    readonly cgroupRoot?: string;
    readonly runtimeHandler?: string;
  },
): SandboxConfig {
  const { name = "", namespace = "", uid = "", labels = {}, annotations = {} } = pod.metadata;
  const spec = pod.spec;
  const identity = identityLabels(pod);
  return {
    name,
    namespace,
    uid,
    attempt: parts.attempt,
    hostname: spec?.hostNetwork ? "" : podHostname(pod, parts.dns.clusterDomain),
    logDirectory: parts.logDirectory,
    dns: podDns(pod, parts.dns),
    hostNetwork: spec?.hostNetwork ?? false,
    hostPid: spec?.hostPID ?? false,
    hostIpc: spec?.hostIPC ?? false,
    shareProcessNamespace: spec?.shareProcessNamespace ?? false,
    privileged: podContainers(pod).some(
      ({ spec: { securityContext } }) => securityContext?.privileged,
    ),
    labels: { ...labels, ...identity },
    annotations,
    portMappings: spec?.hostNetwork ? [] : portMappings(pod),
    sysctls: Object.fromEntries(
      (spec?.securityContext?.sysctls ?? []).map(({ name: key, value }) => [
        sysctlName(key),
        value,
      ]),
    ),
    ...(parts.runtimeHandler && { runtimeHandler: parts.runtimeHandler }),
    ...(parts.cgroupRoot && { cgroupParent: podCgroup(parts.cgroupRoot, pod) }),
  };
}

export function identityLabels(pod: Pod): Record<string, string> {
  const { name = "", namespace = "", uid = "" } = pod.metadata;
  return {
    [podLabels.name]: name,
    [podLabels.namespace]: namespace,
    [podLabels.uid]: uid,
  };
}

/** `/kogge-1f/burstable/pod…`, as kubelet nests them. */
export function podCgroup(root: string, pod: Pod): string {
  const qos = qosClassOf(pod);
  const group = qos === "Guaranteed" ? root : `${root}/${qos.toLowerCase()}`;
  return `${group}/pod${pod.metadata.uid}`;
}

function portMappings(pod: Pod): SandboxConfig["portMappings"] {
  return podContainers(pod).flatMap(({ spec }) =>
    (spec.ports ?? [])
      .filter(({ hostPort }) => hostPort !== undefined && hostPort > 0)
      .map(({ containerPort, hostPort = 0, protocol = "TCP", hostIP = "" }) => ({
        containerPort,
        hostPort,
        protocol,
        hostIp: hostIP,
      })),
  );
}
