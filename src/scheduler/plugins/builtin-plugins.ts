import { podDisruptionBudgets, pods } from "#api/resources.ts";
import type { Informers } from "#client/informers.ts";
import type { ClusterState } from "#scheduler/cluster-state.ts";
import type { Plugin } from "#scheduler/framework.ts";
import { createDefaultBinder } from "#scheduler/plugins/default-binder.ts";
import { createDefaultPreemption } from "#scheduler/plugins/default-preemption.ts";
import {
  createDynamicResources,
  type DynamicResourcesParts,
} from "#scheduler/plugins/dynamic-resources.ts";
import { createImageLocality } from "#scheduler/plugins/image-locality.ts";
import { createInterPodAffinity } from "#scheduler/plugins/inter-pod-affinity.ts";
import { nodeAffinity } from "#scheduler/plugins/node-affinity.ts";
import { nodeName } from "#scheduler/plugins/node-name.ts";
import { nodeOperatingSystem } from "#scheduler/plugins/node-operating-system.ts";
import { nodePorts } from "#scheduler/plugins/node-ports.ts";
import {
  createNodeResourcesFit,
  nodeResourcesBalanced,
} from "#scheduler/plugins/node-resources.ts";
import { nodeUnschedulable } from "#scheduler/plugins/node-unschedulable.ts";
import { createNodeVolumeLimits } from "#scheduler/plugins/node-volume-limits.ts";
import { createPodGroup, podGroupIndex } from "#scheduler/plugins/pod-group.ts";
import { createPodTopologySpread } from "#scheduler/plugins/pod-topology-spread.ts";
import { prioritySort } from "#scheduler/plugins/priority-sort.ts";
import { taintToleration } from "#scheduler/plugins/taint-toleration.ts";
import { bindTimeoutMsDefault, createVolumeBinding } from "#scheduler/plugins/volume-binding.ts";
import { createVolumeRestrictions } from "#scheduler/plugins/volume-restrictions.ts";
import { createVolumeZone } from "#scheduler/plugins/volume-zone.ts";
import type { Storage } from "#scheduler/volumes/storage.ts";

export interface BuiltinParts extends DynamicResourcesParts {
  readonly informers: Informers;
  readonly cluster: ClusterState;
  readonly storage: Storage;
}

/** All plugins, in upstream's order. They are shared by all profiles: what they count is the cluster's. */
export function builtinPlugins(parts: BuiltinParts): readonly Plugin[] {
  const { client, clock, informers, cluster, recorder } = parts;
  return [
    prioritySort,
    ...filterPlugins(cluster, parts),
    createDynamicResources(parts),
    createDefaultPreemption({
      client,
      clock,
      recorder,
      podOf: ({ namespace, name }) => informers.of(pods).get({ namespace, name }),
      budgetsOf: (namespace) => [...informers.of(podDisruptionBudgets).list(namespace)],
      nominate: (pod, to) => cluster.nominate(pod, to),
    }),
    createPodGroup({
      clock,
      podsOf: (key) => informers.of(pods, podGroupIndex).byIndex("podGroup", key),
    }),
    createDefaultBinder(client),
  ];
}

/** The plugins that filter and score; those about volumes only where `volumes` says what is known of them. */
export function filterPlugins(
  cluster: ClusterState,
  volumes?: Pick<BuiltinParts, "client" | "clock" | "storage"> & {
    readonly devices?: BuiltinParts["devices"];
  },
): readonly Plugin[] {
  const { counts, claimUse, images } = cluster;
  return [
    nodeUnschedulable,
    nodeName,
    nodeOperatingSystem,
    taintToleration,
    nodeAffinity,
    nodePorts,
    createNodeResourcesFit(
      volumes?.devices && ((resource) => volumes.devices?.classOfResource(resource) !== undefined),
    ),
    ...(volumes
      ? [
          createVolumeRestrictions(volumes.storage, claimUse),
          createNodeVolumeLimits(volumes.storage),
          createVolumeBinding({ ...volumes, bindTimeoutMs: bindTimeoutMsDefault }),
          createVolumeZone(volumes.storage),
        ]
      : []),
    createPodTopologySpread(counts),
    createInterPodAffinity(counts),
    nodeResourcesBalanced,
    createImageLocality({ images, nodeCount: () => cluster.nodes.length }),
  ];
}
