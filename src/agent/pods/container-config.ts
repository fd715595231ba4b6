import type { Pod } from "#api/generated/types.ts";
import { containerResources } from "#agent/pods/container-resources.ts";
import { containerSecurity } from "#agent/pods/container-security.ts";
import { expand } from "#agent/pods/expansion.ts";
import type { PodContainer } from "#agent/pods/pod-containers.ts";
import { simulationOf } from "#agent/pods/simulation.ts";
import { identityLabels, podLabels } from "#agent/pods/sandbox-config.ts";
import type { CpuShare } from "#agent/cpus/cpu-manager.ts";
import type { DeviceGrant } from "#agent/devices/device-plugin.ts";
import type { ContainerConfig, Mount, Resources } from "#agent/runtime/container-runtime.ts";

export interface ContainerParts {
  readonly pod: Pod;
  readonly container: PodContainer;
  readonly attempt: number;
  /** The image's id. */
  readonly image: string;
  readonly environment: ReadonlyMap<string, string>;
  readonly mounts: readonly Mount[];
  readonly seccompDir: string;
  readonly memoryBytes: number;
  readonly cpus?: CpuShare;
  /** What its devices bring along. */
  readonly devices?: readonly DeviceGrant[];
  /** The id of the container whose processes it sees. */
  readonly processesOf?: string;
}

export function containerConfig(parts: ContainerParts): ContainerConfig {
  const { pod, attempt, environment, devices = [] } = parts;
  const { spec } = parts.container;
  const lookUp = (name: string): string | undefined => environment.get(name);
  return {
    name: spec.name,
    attempt,
    image: parts.image,
    command: (spec.command ?? []).map((word) => expand(word, lookUp)),
    args: (spec.args ?? []).map((word) => expand(word, lookUp)),
    workingDir: spec.workingDir ?? "",
    env: [...new Map([...deviceVariables(devices), ...environment])].map(([name, value]) => ({
      name,
      value,
    })),
    mounts: [...devices.flatMap(deviceMounts), ...parts.mounts],
    devices: devices.flatMap((grant) => grant.devices),
    cdiDevices: devices.flatMap((grant) => grant.cdiDevices.map(({ name }) => name)),
    labels: { ...identityLabels(pod), [podLabels.container]: spec.name },
    annotations: {
      ...Object.assign({}, ...devices.map(({ annotations }) => annotations)),
      "io.kubernetes.container.restartCount": String(attempt),
      "io.kubernetes.container.terminationMessagePath": messagePathOf(spec),
      "io.kubernetes.container.terminationMessagePolicy": spec.terminationMessagePolicy ?? "File",
    },
    logPath: `${spec.name}/${attempt}.log`,
    stdin: spec.stdin ?? false,
    stdinOnce: spec.stdinOnce ?? false,
    tty: spec.tty ?? false,
    resources: { ...containerResources(pod, spec, parts.memoryBytes), ...cpusOf(parts.cpus) },
    security: containerSecurity(pod, spec, parts.seccompDir),
    ...(parts.processesOf && { processesOf: parts.processesOf }),
    simulation: simulationOf(pod, parts.container),
  };
}

function deviceVariables(devices: readonly DeviceGrant[]): readonly (readonly [string, string])[] {
  return devices.flatMap(({ envs }) => Object.entries(envs));
}

function deviceMounts({ mounts }: DeviceGrant): readonly Mount[] {
  return mounts.map((mount) => ({ ...mount, propagation: "private" }));
}

/** A container alone on its processors needs no limit of its time there. */
export function cpusOf(share: CpuShare | undefined): Resources {
  if (share === undefined) return {};
  return { cpus: share.cpus, ...(share.isExclusive && { cpuQuotaUs: -1 }) };
}

export function messagePathOf(spec: { readonly terminationMessagePath?: string }): string {
  return spec.terminationMessagePath ?? "/dev/termination-log";
}
