import { nameOf } from "#api/meta.ts";
import type { Plugin } from "#scheduler/framework.ts";
import type { NodeState } from "#scheduler/node-state.ts";
import { classOf } from "#scheduler/volumes/pod-claims.ts";
import type { Storage } from "#scheduler/volumes/storage.ts";

const rejection = { reasons: ["node(s) exceed max volume count"], unresolvable: false };

/** A CSI driver can attach only so many volumes to a node: what its CSINode says. */
export function createNodeVolumeLimits(storage: Storage): Plugin {
  return {
    name: "NodeVolumeLimits",
    preFilter: ({ placed }) => (placed.claims.length === 0 ? "skip" : undefined),
    filter({ placed: { claims } }, node) {
      const limits = limitsOf(node.name, storage);
      if (limits.size === 0) return undefined;
      const attached = attachedTo(node, storage);
      const wanted = [...volumesOf(claims, storage)].filter(([handle]) => !attached.has(handle));
      const counts = new Map<string, number>();
      for (const driver of attached.values()) counts.set(driver, (counts.get(driver) ?? 0) + 1);
      for (const [, driver] of wanted) {
        const count = (counts.get(driver) ?? 0) + 1;
        counts.set(driver, count);
        if (count > (limits.get(driver) ?? Number.POSITIVE_INFINITY)) return rejection;
      }
      return undefined;
    },
    helpedBy(event, { placed }) {
      switch (event.kind) {
        case "nodeAdded":
          return true;
        case "podGone":
          return event.pod.claims.length > 0;
        case "claimChanged":
          return placed.claims.includes(event.key);
        case "storageChanged":
          return event.what === "csiNode" || event.what === "attachment";
        default:
          return false;
      }
    },
  };
}

function limitsOf(nodeName: string, storage: Storage): ReadonlyMap<string, number> {
  const limits = new Map<string, number>();
  for (const { name, allocatable } of storage.csiNode(nodeName)?.spec.drivers ?? []) {
    if (allocatable?.count !== undefined) limits.set(name, allocatable.count);
  }
  return limits;
}

/** Drivers by volume: those of pods on the node, and those attached there for any other reason. */
function attachedTo(node: NodeState, storage: Storage): Map<string, string> {
  const attached = new Map<string, string>();
  for (const { claims } of node.pods.values()) {
    for (const [handle, driver] of volumesOf(claims, storage)) attached.set(handle, driver);
  }
  for (const { spec } of storage.attachmentsOf(node.name)) {
    const volume = storage.volume(spec?.source.persistentVolumeName ?? "");
    const csi = volume?.spec?.csi;
    if (csi) attached.set(`${csi.driver}/${csi.volumeHandle}`, csi.driver);
  }
  return attached;
}

/** Drivers by volume. A claim without a volume counts as one of its class' driver. */
function volumesOf(claims: readonly string[], storage: Storage): Map<string, string> {
  const volumes = new Map<string, string>();
  for (const key of claims) {
    const claim = storage.claim(key);
    if (claim === undefined) continue;
    const volume = storage.volume(claim.spec?.volumeName ?? "");
    if (volume) {
      const { csi } = volume.spec ?? {};
      if (csi) volumes.set(`${csi.driver}/${csi.volumeHandle}`, csi.driver);
      continue;
    }
    const provisioner = classOf(claim, storage)?.provisioner;
    if (provisioner) volumes.set(`${provisioner}/claim ${key} ${nameOf(claim)}`, provisioner);
  }
  return volumes;
}
