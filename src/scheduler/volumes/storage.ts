import type {
  CSIDriver,
  CSINode,
  CSIStorageCapacity,
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  StorageClass,
  VolumeAttachment,
} from "#api/generated/types.ts";
import { keyOf, nameOf, parseKey, placeOf, type KubeObject } from "#api/meta.ts";
import {
  csiDrivers,
  csiNodes,
  csiStorageCapacities,
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  storageClasses,
  volumeAttachments,
} from "#api/resources.ts";
import type { Informer } from "#client/informer.ts";
import type { Informers } from "#client/informers.ts";
import { classNameOf } from "#reconcile/volume-binding.ts";
import type { ClusterEvent, StorageKind } from "#scheduler/framework.ts";

/** What the cluster says of claims, volumes and drivers. */
export interface Storage {
  readonly synced: Promise<unknown>;
  /** By `namespace/name`. */
  claim(key: string): PersistentVolumeClaim | undefined;
  volume(name: string): PersistentVolume | undefined;
  volumesOfClass(name: string): Iterable<PersistentVolume>;
  storageClass(name: string): StorageClass | undefined;
  csiNode(name: string): CSINode | undefined;
  csiDriver(name: string): CSIDriver | undefined;
  capacities(): Iterable<CSIStorageCapacity>;
  attachmentsOf(nodeName: string): Iterable<VolumeAttachment>;
  node(name: string): Node | undefined;
  /** Resolves when the condition holds, which is asked after every change of a claim and when the pod goes. */
  until(pod: Pod, condition: () => boolean, signal: AbortSignal): Promise<void>;
  podExists(pod: Pod): boolean;
  onEvent(listener: (event: ClusterEvent) => void): Disposable;
}

const byClass = { class: (volume: PersistentVolume) => [classNameOf(volume)] };
const byNode = { node: ({ spec }: VolumeAttachment) => [spec?.nodeName ?? ""] };

export function createStorage(informers: Informers): Storage {
  const claims = informers.of(persistentVolumeClaims);
  const volumes = informers.of(persistentVolumes, byClass);
  const classes = informers.of(storageClasses);
  const csi = {
    nodes: informers.of(csiNodes),
    drivers: informers.of(csiDrivers),
    capacities: informers.of(csiStorageCapacities),
    attachments: informers.of(volumeAttachments, byNode),
  };
  const podInformer = informers.of(pods);
  const all = [claims, volumes, classes, ...Object.values(csi)];
  const synced = Promise.all(all.map((informer) => informer.synced));
  synced.catch(() => {}); // Whoever waits sees it; a scheduler that ends before it starts does not wait.
  const podExists = (pod: Pod) => podInformer.get(placeOf(pod))?.metadata.uid === pod.metadata.uid;
  return {
    synced,
    claim: (key) => claims.get(parseKey(key)),
    volume: (name) => volumes.get({ name }),
    volumesOfClass: (name) => volumes.byIndex("class", name),
    storageClass: (name) => classes.get({ name }),
    csiNode: (name) => csi.nodes.get({ name }),
    csiDriver: (name) => csi.drivers.get({ name }),
    capacities: () => csi.capacities.list(),
    attachmentsOf: (nodeName) => csi.attachments.byIndex("node", nodeName),
    node: (name) => informers.of(nodes).get({ name }),
    podExists,
    async until(pod, condition, signal) {
      const gone = new AbortController();
      using _listening = podInformer.onChange(({ kind, object }) => {
        if (kind === "deleted" && object.metadata.uid === pod.metadata.uid) gone.abort();
      });
      const either = AbortSignal.any([signal, gone.signal]);
      await claims.until(condition, either).catch((error: unknown) => {
        if (!gone.signal.aborted) throw error;
      });
    },
    onEvent(listener) {
      const stack = new DisposableStack();
      stack.use(
        claims.onChange(({ kind, object }) => {
          if (kind !== "deleted") listener({ kind: "claimChanged", key: keyOf(object) });
        }),
      );
      stack.use(tell(volumes, "volume", listener));
      stack.use(tell(classes, "class", listener));
      stack.use(tell(csi.nodes, "csiNode", listener));
      stack.use(tell(csi.drivers, "csiDriver", listener));
      stack.use(tell(csi.capacities, "capacity", listener));
      stack.use(
        csi.attachments.onChange(({ kind, object }) => {
          if (kind === "deleted") {
            listener({ kind: "storageChanged", what: "attachment", name: nameOf(object) });
          }
        }),
      );
      return stack;
    },
  };
}

function tell<T extends KubeObject>(
  informer: Informer<T>,
  what: StorageKind,
  listener: (event: ClusterEvent) => void,
): Disposable {
  return informer.onChange(({ kind, object }) => {
    if (kind !== "deleted") listener({ kind: "storageChanged", what, name: nameOf(object) });
  });
}
