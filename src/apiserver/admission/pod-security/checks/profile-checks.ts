import type { SELinuxOptions } from "#api/generated/types.ts";
import {
  containersOf,
  plural,
  quoted,
  settersText,
  sorted,
  type Check,
  type CheckedPod,
  type CheckFunction,
  type Violation,
} from "#apiserver/admission/pod-security/check.ts";
import {
  seccompAnnotations,
  seccompBaseline,
} from "#apiserver/admission/pod-security/checks/seccomp.ts";

/** What each of the releases added to those that are safe: they concern only the pod's own namespaces. */
const safeSysctls: readonly (readonly string[])[] = [
  [
    "kernel.shm_rmid_forced",
    "net.ipv4.ip_local_port_range",
    "net.ipv4.tcp_syncookies",
    "net.ipv4.ping_group_range",
    "net.ipv4.ip_unprivileged_port_start",
  ],
  ["net.ipv4.ip_local_reserved_ports"],
  [
    "net.ipv4.tcp_keepalive_time",
    "net.ipv4.tcp_fin_timeout",
    "net.ipv4.tcp_keepalive_intvl",
    "net.ipv4.tcp_keepalive_probes",
  ],
  ["net.ipv4.tcp_rmem", "net.ipv4.tcp_wmem"],
];

/** The controls of the level `baseline` that are about profiles of the kernel's guards. */
export const profileChecks: readonly Check[] = [
  { id: "appArmorProfile", level: "baseline", versions: [{ since: 0, check: appArmor }] },
  {
    id: "seLinuxOptions",
    level: "baseline",
    versions: [
      { since: 0, check: seLinux(["", "container_t", "container_init_t", "container_kvm_t"]) },
      {
        since: 31,
        check: seLinux([
          "",
          "container_t",
          "container_init_t",
          "container_kvm_t",
          "container_engine_t",
        ]),
      },
    ],
  },
  {
    id: "seccompProfile_baseline",
    level: "baseline",
    versions: [
      { since: 0, check: seccompAnnotations },
      { since: 19, check: seccompBaseline },
    ],
  },
  {
    id: "sysctls",
    level: "baseline",
    versions: [
      { since: 0, check: sysctls(0) },
      { since: 27, check: sysctls(1) },
      { since: 29, check: sysctls(2) },
      { since: 32, check: sysctls(3) },
    ],
  },
];

const annotationPrefix = "container.apparmor.security.beta.kubernetes.io/";

function appArmor(pod: CheckedPod): Violation | undefined {
  const isBad = (type: string | undefined): type is string =>
    type !== undefined && type !== "RuntimeDefault" && type !== "Localhost";
  const ofPod = pod.spec.securityContext?.appArmorProfile?.type;
  const bad = containersOf(pod).filter(({ securityContext }) =>
    isBad(securityContext?.appArmorProfile?.type),
  );
  const types = [ofPod, ...bad.map((one) => one.securityContext?.appArmorProfile?.type)];
  const annotations = Object.entries(pod.metadata.annotations ?? {})
    .filter(([key, value]) => key.startsWith(annotationPrefix) && !isUsualAnnotation(value))
    .map(([key, value]) => `${key}=${JSON.stringify(value)}`)
    .toSorted();
  const setters = settersText(
    isBad(ofPod),
    bad.map(({ name }) => name),
  );
  const all = [
    ...(setters === "" ? [] : [setters]),
    ...(annotations.length > 0 ? [plural("annotation", annotations.length)] : []),
  ];
  if (all.length === 0) return undefined;
  const values = [...sorted(types.filter(isBad)), ...annotations];
  return {
    reason: plural("forbidden AppArmor profile", values.length),
    detail: `${all.join(" and ")} must not set AppArmor profile type to ${quoted(values)}`,
  };
}

function isUsualAnnotation(value: string): boolean {
  return value === "" || value === "runtime/default" || value.startsWith("localhost/");
}

function seLinux(allowed: readonly string[]): CheckFunction {
  return (pod) => {
    const isBad = (options: SELinuxOptions | undefined): options is SELinuxOptions =>
      options !== undefined &&
      (!allowed.includes(options.type ?? "") || Boolean(options.user) || Boolean(options.role));
    const ofPod = pod.spec.securityContext?.seLinuxOptions;
    const bad = containersOf(pod).filter(({ securityContext }) =>
      isBad(securityContext?.seLinuxOptions),
    );
    const all = [ofPod, ...bad.map((one) => one.securityContext?.seLinuxOptions)].filter(isBad);
    if (all.length === 0) return undefined;
    const types = sorted(
      all.map(({ type }) => type ?? "").filter((type) => !allowed.includes(type)),
    );
    const problems = [
      ...(types.length > 0 ? [`${plural("type", types.length)} ${quoted(types)}`] : []),
      ...(all.some(({ user }) => user) ? ["user may not be set"] : []),
      ...(all.some(({ role }) => role) ? ["role may not be set"] : []),
    ];
    const setters = settersText(
      isBad(ofPod),
      bad.map(({ name }) => name),
    );
    return {
      reason: "seLinuxOptions",
      detail: `${setters} set forbidden securityContext.seLinuxOptions: ${problems.join("; ")}`,
    };
  };
}

function sysctls(generation: number): CheckFunction {
  const safe = new Set(safeSysctls.slice(0, generation + 1).flat());
  return ({ spec }) => {
    const names = (spec.securityContext?.sysctls ?? []).map(({ name }) => name);
    const bad = names.filter((name) => !safe.has(name));
    if (bad.length === 0) return undefined;
    return { reason: "forbidden sysctls", detail: bad.join(", ") };
  };
}
