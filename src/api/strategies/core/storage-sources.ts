import type {
  AzureDiskVolumeSource,
  ISCSIVolumeSource,
  RBDVolumeSource,
  ScaleIOVolumeSource,
} from "#api/generated/types.ts";
import { type Filling, setWhereUnset } from "#api/validation/given.ts";

interface NetworkStorage {
  readonly azureDisk?: Filling<AzureDiskVolumeSource> | null;
  readonly iscsi?: Filling<Pick<ISCSIVolumeSource, "iscsiInterface">> | null;
  readonly rbd?: Filling<Pick<RBDVolumeSource, "pool" | "user" | "keyring">> | null;
  readonly scaleIO?: Filling<Pick<ScaleIOVolumeSource, "storageMode" | "fsType">> | null;
}

/** Sources that volumes of pods and persistent volumes have in common. */
export function fillNetworkStorage(source: NetworkStorage): void {
  if (source.iscsi) setWhereUnset(source.iscsi, { iscsiInterface: "default" });
  if (source.rbd) {
    setWhereUnset(source.rbd, { pool: "rbd", user: "admin", keyring: "/etc/ceph/keyring" });
  }
  if (source.scaleIO) {
    setWhereUnset(source.scaleIO, { storageMode: "ThinProvisioned", fsType: "xfs" });
  }
  if (source.azureDisk) {
    source.azureDisk.cachingMode ??= "ReadWrite";
    source.azureDisk.kind ??= "Shared";
    source.azureDisk.fsType ??= "ext4";
    source.azureDisk.readOnly ??= false;
  }
}
