import type { ProjectedVolumeSource, Volume } from "#api/generated/types.ts";
import { pullPolicyFor } from "#api/strategies/core/pod/container-defaults.ts";
import { fillNetworkStorage } from "#api/strategies/core/storage-sources.ts";
import { type Filling, setWhereUnset } from "#api/validation/given.ts";

/** rw-r--r-- */
const readableMode = 0o644;
const tokenLifetimeSeconds = 3600;

/** A volume without a source is an empty directory. */
export function fillVolume(volume: Filling<Volume>): void {
  if (!hasSource(volume)) volume.emptyDir = {};
  for (const name of ["secret", "configMap", "downwardAPI", "projected"] as const) {
    const source = volume[name];
    if (source) source.defaultMode ??= readableMode;
  }
  fillItems(volume.downwardAPI?.items);
  fillProjected(volume.projected);
  if (volume.hostPath) volume.hostPath.type ??= "";
  if (volume.image) {
    setWhereUnset(volume.image, { pullPolicy: pullPolicyFor(volume.image.reference ?? "") });
  }
  const claim = volume.ephemeral?.volumeClaimTemplate?.spec;
  if (claim) claim.volumeMode ??= "Filesystem";
  fillNetworkStorage(volume);
}

function hasSource(volume: Filling<Volume>): boolean {
  return Object.entries(volume).some(
    ([name, source]) => name !== "name" && source !== null && source !== undefined,
  );
}

function fillProjected(projected: Filling<ProjectedVolumeSource> | null | undefined): void {
  for (const source of projected?.sources ?? []) {
    if (source?.serviceAccountToken) {
      source.serviceAccountToken.expirationSeconds ??= tokenLifetimeSeconds;
    }
    fillItems(source?.downwardAPI?.items);
  }
}

function fillItems(
  items: { fieldRef?: { apiVersion?: string | null } | null }[] | null | undefined,
): void {
  for (const item of items ?? []) {
    if (item?.fieldRef) setWhereUnset(item.fieldRef, { apiVersion: "v1" });
  }
}
