import type {
  DownwardAPIVolumeFile,
  EmptyDirVolumeSource,
  HostPathVolumeSource,
  KeyToPath,
  NFSVolumeSource,
  ProjectedVolumeSource,
  ServiceAccountTokenProjection,
  Volume,
} from "#api/generated/types.ts";
import { checkClaimSpec } from "#api/strategies/core/claim-spec.ts";
import {
  checkFieldRef,
  checkResourceRef,
  volumePaths,
} from "#api/strategies/core/pod/environment.ts";
import { checkNoBacksteps, checkUnreservedPath } from "#api/strategies/core/pod/local-path.ts";
import {
  checkLabelName,
  checkOneOfIfSet,
  checkRequired,
  checkSubdomainName,
} from "#api/validation/checks.ts";
import type { Field } from "#api/validation/field.ts";
import { type Given, itemsOf } from "#api/validation/given.ts";
import { nanosOf } from "#api/validation/quantity.ts";

export function checkVolumes(field: Field, volumes: readonly Given<Volume>[]): void {
  const names = new Set<string>();
  for (const [index, volume] of volumes.entries()) {
    const at = field.index(index);
    checkLabelName(at.child("name"), volume.name);
    if (volume.name && names.has(volume.name)) at.child("name").duplicate(volume.name);
    names.add(volume.name ?? "");
    checkSource(at, volume);
  }
}

function checkSource(field: Field, volume: Given<Volume>): void {
  const sources = Object.keys(volume).filter(
    (name) => name !== "name" && volume[name as keyof Volume],
  );
  if (sources.length === 0) field.required("must specify a volume type");
  for (const name of sources.slice(1)) {
    field.child(name).forbidden("may not specify more than 1 volume type");
  }
  if (volume.emptyDir) checkEmptyDir(field.child("emptyDir"), volume.emptyDir);
  if (volume.hostPath) checkHostPath(field.child("hostPath"), volume.hostPath);
  if (volume.nfs) checkNfs(field.child("nfs"), volume.nfs);
  if (volume.secret) {
    checkRequired(field.child("secret", "secretName"), volume.secret.secretName);
    checkFiles(field.child("secret"), volume.secret);
  }
  if (volume.configMap) {
    checkRequired(field.child("configMap", "name"), volume.configMap.name);
    checkFiles(field.child("configMap"), volume.configMap);
  }
  if (volume.downwardAPI) {
    checkMode(field.child("downwardAPI", "defaultMode"), volume.downwardAPI.defaultMode);
    checkDownward(field.child("downwardAPI", "items"), itemsOf(volume.downwardAPI.items));
  }
  if (volume.projected) checkProjected(field.child("projected"), volume.projected);
  checkOthers(field, volume);
}

function checkOthers(field: Field, volume: Given<Volume>): void {
  const { persistentVolumeClaim, csi, ephemeral, image } = volume;
  if (persistentVolumeClaim) {
    const at = field.child("persistentVolumeClaim", "claimName");
    checkSubdomainName(at, persistentVolumeClaim.claimName);
  }
  if (csi) checkSubdomainName(field.child("csi", "driver"), csi.driver);
  if (ephemeral && !ephemeral.volumeClaimTemplate) {
    field.child("ephemeral", "volumeClaimTemplate").required();
  } else if (ephemeral) {
    const at = field.child("ephemeral", "volumeClaimTemplate", "spec");
    checkClaimSpec(at, ephemeral.volumeClaimTemplate?.spec ?? {});
  }
  if (image) {
    checkRequired(field.child("image", "reference"), image.reference);
    checkOneOfIfSet(field.child("image", "pullPolicy"), image.pullPolicy, [
      "Always",
      "IfNotPresent",
      "Never",
    ]);
  }
}

function checkEmptyDir(field: Field, source: Given<EmptyDirVolumeSource>): void {
  const limit = source.sizeLimit;
  if (limit && (nanosOf(limit) ?? -1n) < 0n) {
    field.child("sizeLimit").forbidden("SizeLimit field must be a valid resource quantity");
  }
  const medium = source.medium ?? "";
  if (medium !== "" && medium !== "Memory" && !medium.startsWith("HugePages")) {
    field.child("medium").notSupported(medium, ["HugePages", "Memory"]);
  }
}

const hostPathTypes = [
  "",
  "BlockDevice",
  "CharDevice",
  "Directory",
  "DirectoryOrCreate",
  "File",
  "FileOrCreate",
  "Socket",
];

export function checkHostPath(field: Field, source: Given<HostPathVolumeSource>): void {
  if (checkRequired(field.child("path"), source.path)) {
    checkNoBacksteps(field.child("path"), source.path ?? "");
  }
  checkOneOfIfSet(field.child("type"), source.type, hostPathTypes);
}

export function checkNfs(field: Field, source: Given<NFSVolumeSource>): void {
  checkRequired(field.child("server"), source.server);
  if (checkRequired(field.child("path"), source.path) && !source.path?.startsWith("/")) {
    field.child("path").invalid(source.path, "must be an absolute path");
  }
}

function checkMode(field: Field, mode: number | null | undefined): void {
  if (typeof mode === "number" && (mode < 0 || mode > 0o777)) {
    field.invalid(mode, "must be a number between 0 and 0777 (octal), both inclusive");
  }
}

function checkFiles(
  field: Field,
  source: {
    readonly defaultMode?: number | null;
    readonly items?: readonly Given<KeyToPath>[] | null;
  },
): void {
  checkMode(field.child("defaultMode"), source.defaultMode);
  for (const [index, item] of itemsOf(source.items).entries()) {
    const at = field.child("items").index(index);
    checkRequired(at.child("key"), item.key);
    if (checkRequired(at.child("path"), item.path)) {
      checkUnreservedPath(at.child("path"), item.path ?? "");
    }
    checkMode(at.child("mode"), item.mode);
  }
}

function checkDownward(field: Field, files: readonly Given<DownwardAPIVolumeFile>[]): void {
  for (const [index, file] of files.entries()) {
    const at = field.index(index);
    if (checkRequired(at.child("path"), file.path)) {
      checkUnreservedPath(at.child("path"), file.path ?? "");
    }
    if (file.fieldRef && file.resourceFieldRef) {
      at.invalid("resource", "fieldRef and resourceFieldRef can not be specified simultaneously");
    } else if (file.fieldRef) checkFieldRef(at.child("fieldRef"), file.fieldRef, volumePaths);
    else if (file.resourceFieldRef) {
      checkResourceRef(at.child("resourceFieldRef"), file.resourceFieldRef, { volume: true });
    } else at.required("one of fieldRef and resourceFieldRef is required");
    checkMode(at.child("mode"), file.mode);
  }
}

function checkProjected(field: Field, projected: Given<ProjectedVolumeSource>): void {
  checkMode(field.child("defaultMode"), projected.defaultMode);
  for (const [index, source] of itemsOf(projected.sources).entries()) {
    const at = field.child("sources").index(index);
    const present = Object.values(source).filter(Boolean).length;
    if (present === 0) at.required("must specify a volume type");
    if (present > 1) at.forbidden("may not specify more than 1 volume type per source");
    for (const name of ["secret", "configMap"] as const) {
      const files = source[name];
      if (!files) continue;
      checkRequired(at.child(name, "name"), files.name);
      checkFiles(at.child(name), files);
    }
    checkDownward(at.child("downwardAPI", "items"), itemsOf(source.downwardAPI?.items));
    if (source.serviceAccountToken) {
      checkToken(at.child("serviceAccountToken"), source.serviceAccountToken);
    }
  }
}

const tokenMinSeconds = 10 * 60;
const tokenMaxSeconds = 2 ** 32;

function checkToken(field: Field, token: Given<ServiceAccountTokenProjection>): void {
  const seconds = token.expirationSeconds;
  if (typeof seconds === "number" && seconds < tokenMinSeconds) {
    field
      .child("expirationSeconds")
      .invalid(seconds, "may not specify a duration less than 10 minutes");
  }
  if (typeof seconds === "number" && seconds > tokenMaxSeconds) {
    field
      .child("expirationSeconds")
      .invalid(seconds, "may not specify a duration larger than 2^32 seconds");
  }
  if (checkRequired(field.child("path"), token.path)) {
    checkUnreservedPath(field.child("path"), token.path ?? "");
  }
}
