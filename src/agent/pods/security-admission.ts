import type { Pod, SecurityContext } from "#api/generated/types.ts";
import { podContainers } from "#agent/pods/pod-containers.ts";
import type { PodEnd } from "#agent/pods/pod-observation.ts";

/** What the machine and the runtime can do for a pod's security. */
export interface SecurityFacts {
  readonly hasAppArmor: boolean;
  readonly supplementalGroupsPolicy: boolean;
  /** Names and prefixes (`net.core.*`) that pods may set besides the safe ones. */
  readonly allowedUnsafeSysctls: readonly string[];
}

/** Why a pod must not run here, in upstream's words. */
export function securityProblem(pod: Pod, facts: SecurityFacts): PodEnd | undefined {
  return sysctlProblem(pod, facts) ?? appArmorProblem(pod, facts) ?? groupsProblem(pod, facts);
}

/** Those that concern only the pod's own namespaces and no other pod. */
const safeSysctls: ReadonlySet<string> = new Set([
  "kernel.shm_rmid_forced",
  "net.ipv4.ip_local_port_range",
  "net.ipv4.ip_local_reserved_ports",
  "net.ipv4.ip_unprivileged_port_start",
  "net.ipv4.ping_group_range",
  "net.ipv4.tcp_fin_timeout",
  "net.ipv4.tcp_keepalive_intvl",
  "net.ipv4.tcp_keepalive_probes",
  "net.ipv4.tcp_keepalive_time",
  "net.ipv4.tcp_rmem",
  "net.ipv4.tcp_syncookies",
  "net.ipv4.tcp_wmem",
]);

function sysctlProblem(pod: Pod, { allowedUnsafeSysctls }: SecurityFacts): PodEnd | undefined {
  for (const { name: given } of pod.spec?.securityContext?.sysctls ?? []) {
    const name = sysctlName(given);
    const isAllowed = allowedUnsafeSysctls
      .map(sysctlName)
      .some((allowed) =>
        allowed.endsWith("*") ? name.startsWith(allowed.slice(0, -1)) : name === allowed,
      );
    const problem =
      safeSysctls.has(name) || isAllowed
        ? namespaceProblem(pod, name)
        : `"${name}" not allowlisted`;
    if (problem) return { reason: "SysctlForbidden", message: `forbidden sysctl: ${problem}` };
  }
  return undefined;
}

/** With the host's namespace, it would be the host's setting. */
function namespaceProblem({ spec }: Pod, name: string): string | undefined {
  const ofIpc = /^(kernel\.(sem$|shm|msg)|fs\.mqueue\.)/.test(name);
  if (ofIpc && spec?.hostIPC) return `"${name}" not allowed with host ipc enabled`;
  if (name.startsWith("net.") && spec?.hostNetwork) {
    return `"${name}" not allowed with host net enabled`;
  }
  return undefined;
}

/** `net/ipv4/tcp_syncookies` is another way to write `net.ipv4.tcp_syncookies`; the first separator decides. */
export function sysctlName(given: string): string {
  const first = /[./]/.exec(given)?.[0];
  if (first !== "/") return given;
  return given.replaceAll(/[./]/g, (sign) => (sign === "/" ? "." : "/"));
}

function appArmorProblem(pod: Pod, { hasAppArmor }: SecurityFacts): PodEnd | undefined {
  if (hasAppArmor) return undefined;
  const contexts: readonly (Pick<SecurityContext, "appArmorProfile"> | undefined)[] = [
    pod.spec?.securityContext,
    ...podContainers(pod).map(({ spec }) => spec.securityContext),
  ];
  const asks = contexts.some((one) => one?.appArmorProfile?.type === "Localhost");
  if (!asks) return undefined;
  return {
    reason: "AppArmor",
    message: "Cannot enforce AppArmor: AppArmor is not enabled on the host",
  };
}

function groupsProblem(pod: Pod, facts: SecurityFacts): PodEnd | undefined {
  const policy = pod.spec?.securityContext?.supplementalGroupsPolicy;
  if (policy !== "Strict" || facts.supplementalGroupsPolicy) return undefined;
  return {
    reason: "SupplementalGroupsPolicyNotSupported",
    message: "SupplementalGroupsPolicy=Strict is not supported in this node",
  };
}
