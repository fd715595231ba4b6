import type { Container, LifecycleHandler, Probe } from "#api/generated/types.ts";
import {
  containersOf,
  containersText,
  plural,
  quoted,
  settersText,
  sorted,
  unlessOwnUsers,
  type Check,
  type CheckedPod,
  type Violation,
} from "#apiserver/admission/pod-security/check.ts";
import { procMount } from "#apiserver/admission/pod-security/checks/proc-mount.ts";

/** The controls of the level `baseline` that are about host access and privileges; the profiles are a file of their own. */
export const baselineChecks: readonly Check[] = [
  { id: "capabilities_baseline", level: "baseline", versions: [{ since: 0, check: capabilities }] },
  { id: "hostNamespaces", level: "baseline", versions: [{ since: 0, check: hostNamespaces }] },
  { id: "hostPathVolumes", level: "baseline", versions: [{ since: 0, check: hostPathVolumes }] },
  { id: "hostPorts", level: "baseline", versions: [{ since: 0, check: hostPorts }] },
  {
    id: "hostProbesAndHostLifecycle",
    level: "baseline",
    versions: [{ since: 34, check: hostProbes }],
  },
  { id: "privileged", level: "baseline", versions: [{ since: 0, check: privileged }] },
  {
    id: "procMount",
    level: "baseline",
    versions: [
      { since: 0, check: procMount },
      { since: 35, check: unlessOwnUsers(procMount) },
    ],
  },
  {
    id: "windowsHostProcess",
    level: "baseline",
    versions: [{ since: 0, check: windowsHostProcess }],
  },
];

const usualCapabilities: ReadonlySet<string> = new Set([
  "AUDIT_WRITE",
  "CHOWN",
  "DAC_OVERRIDE",
  "FOWNER",
  "FSETID",
  "KILL",
  "MKNOD",
  "NET_BIND_SERVICE",
  "SETFCAP",
  "SETGID",
  "SETPCAP",
  "SETUID",
  "SYS_CHROOT",
]);

function capabilities(pod: CheckedPod): Violation | undefined {
  const unusual = ({ securityContext }: Container): readonly string[] =>
    (securityContext?.capabilities?.add ?? []).filter((name) => !usualCapabilities.has(name));
  const bad = containersOf(pod).filter((container) => unusual(container).length > 0);
  if (bad.length === 0) return undefined;
  const names = sorted(bad.flatMap(unusual));
  return {
    reason: "non-default capabilities",
    detail: `${containersText(namesOf(bad))} must not include ${quoted(names)} in securityContext.capabilities.add`,
  };
}

function hostNamespaces({ spec }: CheckedPod): Violation | undefined {
  const fields = (["hostNetwork", "hostPID", "hostIPC"] as const).filter((field) => spec[field]);
  if (fields.length === 0) return undefined;
  return {
    reason: "host namespaces",
    detail: fields.map((field) => `${field}=true`).join(", "),
  };
}

function hostPathVolumes({ spec }: CheckedPod): Violation | undefined {
  const volumes = (spec.volumes ?? []).filter(({ hostPath }) => hostPath !== undefined);
  if (volumes.length === 0) return undefined;
  const names = volumes.map(({ name }) => name);
  return {
    reason: "hostPath volumes",
    detail: `${plural("volume", names.length)} ${quoted(names)}`,
  };
}

function hostPorts(pod: CheckedPod): Violation | undefined {
  const portsOf = ({ ports }: Container): readonly number[] =>
    (ports ?? []).map(({ hostPort }) => hostPort ?? 0).filter((port) => port !== 0);
  const bad = containersOf(pod).filter((container) => portsOf(container).length > 0);
  if (bad.length === 0) return undefined;
  const ports = sorted(bad.flatMap(portsOf).map(String));
  const use = bad.length === 1 ? "uses" : "use";
  return {
    reason: "hostPort",
    detail: `${containersText(namesOf(bad))} ${use} ${plural("hostPort", ports.length)} ${ports.join(", ")}`,
  };
}

function hostProbes(pod: CheckedPod): Violation | undefined {
  const hostsIn = (container: Container): readonly string[] => {
    const { livenessProbe, readinessProbe, startupProbe, lifecycle } = container;
    const all: readonly (Probe | LifecycleHandler | undefined)[] = [
      livenessProbe,
      readinessProbe,
      startupProbe,
      lifecycle?.postStart,
      lifecycle?.preStop,
    ];
    return all.flatMap((one) =>
      [one?.httpGet?.host, one?.tcpSocket?.host].filter(
        (host) => host !== undefined && host !== "",
      ),
    ) as string[];
  };
  const bad = containersOf(pod).filter((container) => hostsIn(container).length > 0);
  if (bad.length === 0) return undefined;
  const hosts = sorted(bad.flatMap(hostsIn));
  const names = sorted(namesOf(bad));
  const use = names.length === 1 ? "uses" : "use";
  return {
    reason: "probe or lifecycle host",
    detail: `${containersText(names)} ${use} ${plural("probe or lifecycle host", hosts.length)} ${quoted(hosts)}`,
  };
}

function privileged(pod: CheckedPod): Violation | undefined {
  const bad = containersOf(pod).filter(({ securityContext }) => securityContext?.privileged);
  if (bad.length === 0) return undefined;
  return {
    reason: "privileged",
    detail: `${containersText(namesOf(bad))} must not set securityContext.privileged=true`,
  };
}

function windowsHostProcess(pod: CheckedPod): Violation | undefined {
  const byPod = pod.spec.securityContext?.windowsOptions?.hostProcess === true;
  const bad = containersOf(pod).filter(
    ({ securityContext }) => securityContext?.windowsOptions?.hostProcess,
  );
  if (!byPod && bad.length === 0) return undefined;
  return {
    reason: "hostProcess",
    detail: `${settersText(byPod, namesOf(bad))} must not set securityContext.windowsOptions.hostProcess=true`,
  };
}

function namesOf(containers: readonly Container[]): readonly string[] {
  return containers.map(({ name }) => name);
}
