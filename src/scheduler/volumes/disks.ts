import type { Pod, Volume } from "#api/generated/types.ts";

/** A disk that a pod names itself, and that cannot be mounted freely. */
export interface Disk {
  /** Equal for the same disk. */
  readonly key: string;
  /** Of which one must be the same; empty where there are none. */
  readonly monitors: readonly string[];
  readonly readOnly: boolean;
}

const noDisks: readonly Disk[] = [];

export function disksOf({ spec }: Pod): readonly Disk[] {
  const volumes = spec?.volumes ?? [];
  if (volumes.length === 0) return noDisks;
  const disks = volumes.flatMap(diskOf);
  return disks.length === 0 ? noDisks : disks;
}

function diskOf(volume: Volume): readonly Disk[] {
  const { gcePersistentDisk: gce, awsElasticBlockStore: aws, iscsi, rbd } = volume;
  const disk = (key: readonly string[], readOnly = false, monitors: readonly string[] = []) => [
    { key: key.join("/"), readOnly, monitors },
  ];
  if (gce) return disk(["gce", gce.pdName], gce.readOnly);
  if (aws) return disk(["aws", aws.volumeID]);
  if (iscsi) return disk(["iscsi", iscsi.iqn], iscsi.readOnly);
  return rbd ? disk(["rbd", rbd.pool ?? "rbd", rbd.image], rbd.readOnly, rbd.monitors) : [];
}

/** Whether a disk is among both, and not only read by both. */
export function clashes(some: readonly Disk[], others: readonly Disk[]): boolean {
  return some.some((one) =>
    others.some(
      (other) =>
        one.key === other.key &&
        !(one.readOnly && other.readOnly) &&
        (one.monitors.length === 0 || one.monitors.some((each) => other.monitors.includes(each))),
    ),
  );
}
