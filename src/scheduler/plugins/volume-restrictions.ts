import type { PendingPod, Plugin } from "#scheduler/framework.ts";
import type { ClaimUse } from "#scheduler/volumes/claim-use.ts";
import { clashes } from "#scheduler/volumes/disks.ts";
import type { Storage } from "#scheduler/volumes/storage.ts";

const name = "VolumeRestrictions";

const diskRejection = { reasons: ["node(s) had no available disk"], unresolvable: false };
const claimRejection = {
  reasons: [
    "node(s) unavailable due to PersistentVolumeClaim with ReadWriteOncePod access mode already in-use by another pod",
  ],
  unresolvable: false,
};

/** A claim that only one pod may use is used by one; disks that only one node may mount are mounted once. */
export function createVolumeRestrictions(storage: Storage, use: ClaimUse): Plugin {
  const exclusive = ({ placed }: PendingPod): readonly string[] =>
    placed.claims.filter((key) =>
      storage.claim(key)?.spec?.accessModes?.includes("ReadWriteOncePod"),
    );
  return {
    name,
    preFilter(pending, state) {
      const claims = pending.placed.claims.length > 0 ? exclusive(pending) : [];
      if (claims.length > 0) state.set(name, claims);
      return claims.length + pending.placed.disks.length === 0 ? "skip" : undefined;
    },
    filter({ placed: { disks } }, node, state) {
      const claims = state.get(name) as readonly string[] | undefined;
      if (claims?.some((key) => use.of(key) > 0)) return claimRejection;
      if (disks.length === 0) return undefined;
      for (const other of node.pods.values()) if (clashes(disks, other.disks)) return diskRejection;
      return undefined;
    },
    helpedBy(event, { placed }) {
      switch (event.kind) {
        case "nodeAdded":
          return placed.disks.length > 0;
        case "podGone":
          return (
            placed.claims.some((key) => event.pod.claims.includes(key)) ||
            clashes(placed.disks, event.pod.disks)
          );
        case "claimChanged":
          return placed.claims.includes(event.key);
        default:
          return false;
      }
    },
  };
}
