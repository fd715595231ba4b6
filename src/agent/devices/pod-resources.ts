import { join } from "node:path";
import type { Pod } from "#api/generated/types.ts";
import { nameOf, namespaceOf, uidOf } from "#api/meta.ts";
import { parseCpus } from "#agent/cpus/cpu-set.ts";
import type { CpuManager } from "#agent/cpus/cpu-manager.ts";
import { podResourcesTable } from "#agent/devices/device-messages.ts";
import type { DeviceManager } from "#agent/devices/device-manager.ts";
import type { DynamicResources } from "#agent/dynamic-resources/dynamic-resources.ts";
import { RpcRefusal, serveSocket } from "#agent/devices/serve-socket.ts";
import { podContainers } from "#agent/pods/pod-containers.ts";

export interface PodResourcesParts {
  /** The folder of the socket: the node's `pod-resources`. */
  readonly dir: string;
  readonly devices: Pick<DeviceManager, "devices" | "allocationsOf">;
  readonly claims?: Pick<DynamicResources, "resourcesOf">;
  readonly cpus?: Pick<CpuManager, "shareOf" | "assignable">;
  readonly pods: () => readonly Pod[];
}

const notFound = 5;

/** Answers which pod has which devices and processors, on `kubelet.sock`: what monitoring of GPUs asks for. */
export function servePodResources(parts: PodResourcesParts): Promise<Disposable> {
  return serveSocket({
    socket: join(parts.dir, "kubelet.sock"),
    table: podResourcesTable,
    answers: {
      "v1.PodResourcesLister/List": () => ({
        podResources: parts.pods().map((pod) => resourcesOf(parts, pod)),
      }),
      "v1.PodResourcesLister/Get": (asked: { podName: string; podNamespace: string }) => {
        const pod = parts
          .pods()
          .find((one) => nameOf(one) === asked.podName && namespaceOf(one) === asked.podNamespace);
        if (pod) return { podResources: resourcesOf(parts, pod) };
        const which = `pod ${asked.podName} in namespace ${asked.podNamespace}`;
        throw new RpcRefusal(notFound, `${which} not found`);
      },
      "v1.PodResourcesLister/GetAllocatableResources": () => ({
        devices: [...parts.devices.devices].flatMap(([resourceName, devices]) =>
          devices.map(({ id, numaNodes }) => ({
            resourceName,
            deviceIds: [id],
            ...topologyOf(numaNodes),
          })),
        ),
        cpuIds: parts.cpus?.assignable ?? [],
        memory: [],
      }),
    },
  });
}

function resourcesOf({ devices, cpus, claims }: PodResourcesParts, pod: Pod): object {
  const allocations = devices.allocationsOf(uidOf(pod));
  const lasting = podContainers(pod).filter(({ role }) => role === "app" || role === "sidecar");
  return {
    name: nameOf(pod),
    namespace: namespaceOf(pod),
    containers: lasting.map(({ spec }) => {
      const share = cpus?.shareOf(uidOf(pod), spec.name);
      return {
        name: spec.name,
        devices: allocations
          .filter(({ container }) => container === spec.name)
          .map(({ resource, ids, numaNodes }) => ({
            resourceName: resource,
            deviceIds: ids,
            ...topologyOf(numaNodes),
          })),
        cpuIds: share?.isExclusive ? parseCpus(share.cpus) : [],
        memory: [],
        dynamicResources: claims?.resourcesOf(pod, spec) ?? [],
      };
    }),
  };
}

function topologyOf(numaNodes: readonly number[]): object {
  if (numaNodes.length === 0) return {};
  return { topology: { nodes: numaNodes.map((ID) => ({ ID })) } };
}
