import type { Container, Volume, VolumeDevice, VolumeMount } from "#api/generated/types.ts";
import { checkLocalPath, hasBacksteps } from "#api/strategies/core/pod/local-path.ts";
import { checkOneOf, checkOneOfIfSet } from "#api/validation/checks.ts";
import type { Field } from "#api/validation/field.ts";
import { type Given, itemsOf } from "#api/validation/given.ts";

type Volumes = ReadonlyMap<string, Given<Volume>>;

/** Mounts and devices of one container: each of a volume that exists, at a place of its own. */
export function checkMounts(
  field: Field,
  container: Given<Container>,
  list: readonly Given<Volume>[],
): void {
  const volumes: Volumes = new Map(list.map((volume) => [volume.name ?? "", volume]));
  const mounts = itemsOf(container.volumeMounts);
  const devices = itemsOf(container.volumeDevices);
  const places = new Set<string>();
  for (const [index, mount] of mounts.entries()) {
    const at = field.child("volumeMounts").index(index);
    const path = mount.mountPath ?? "";
    checkNamed(at.child("name"), mount.name ?? "", volumes);
    if (path === "") at.child("mountPath").required();
    if (places.has(path)) at.child("mountPath").invalid(path, "must be unique");
    places.add(path);
    if (devices.some((device) => device.name === mount.name)) {
      at.child("name").invalid(mount.name, "must not already exist in volumeDevices");
    }
    if (devices.some((device) => device.devicePath === path)) {
      at.child("mountPath").invalid(path, "must not already exist as a path in volumeDevices");
    }
    checkSubPath(field.child("volumeMounts"), at, mount);
    checkPropagation(field.child("volumeMounts"), mount, container);
  }
  checkDevices(field.child("volumeDevices"), { devices, mounts, volumes });
}

function checkNamed(field: Field, name: string, volumes: Volumes): void {
  if (name === "") field.required();
  if (!volumes.has(name)) field.notFound(name);
}

function checkSubPath(list: Field, at: Field, mount: Given<VolumeMount>): void {
  for (const name of ["subPath", "subPathExpr"] as const) {
    const path = mount[name];
    if (!path) continue;
    checkLocalPath(list.child(name), path);
  }
  if (mount.subPath && mount.subPathExpr) {
    const rule = "subPathExpr and subPath are mutually exclusive";
    at.child("subPathExpr").invalid(mount.subPathExpr, rule);
  }
}

function checkPropagation(
  field: Field,
  mount: Given<VolumeMount>,
  container: Given<Container>,
): void {
  const { mountPropagation, recursiveReadOnly } = mount;
  checkOneOfIfSet(field.child("mountPropagation"), mountPropagation, [
    "Bidirectional",
    "HostToContainer",
    "None",
  ]);
  if (mountPropagation === "Bidirectional" && !container.securityContext?.privileged) {
    const rule = "Bidirectional mount propagation is available only to privileged containers";
    field.child("mountPropagation").forbidden(rule);
  }
  if (typeof recursiveReadOnly !== "string") return;
  const at = field.child("recursiveReadOnly");
  checkOneOf(at, recursiveReadOnly, ["Disabled", "Enabled", "IfPossible"]);
  if (recursiveReadOnly !== "Disabled" && !mount.readOnly) {
    at.forbidden("may only be specified when readOnly is true");
  }
}

function checkDevices(
  field: Field,
  parts: {
    devices: readonly Given<VolumeDevice>[];
    mounts: readonly Given<VolumeMount>[];
    volumes: Volumes;
  },
): void {
  const names = new Set<string>();
  const paths = new Set<string>();
  for (const [index, device] of parts.devices.entries()) {
    const at = field.index(index);
    const name = device.name ?? "";
    const path = device.devicePath ?? "";
    const volume = parts.volumes.get(name);
    checkNamed(at.child("name"), name, parts.volumes);
    if (names.has(name)) at.child("name").invalid(name, "must be unique");
    if (volume && !volume.persistentVolumeClaim && !volume.ephemeral) {
      const rule =
        "can only use volume source type of PersistentVolumeClaim or Ephemeral for block mode";
      at.child("name").invalid(name, rule);
    }
    if (path === "") at.child("devicePath").required();
    if (paths.has(path)) at.child("devicePath").invalid(path, "must be unique");
    if (hasBacksteps(path))
      at.child("devicePath").invalid(path, "can not contain backsteps ('..')");
    if (parts.mounts.some((mount) => mount.name === name)) {
      at.child("name").invalid(name, "must not already exist in volumeMounts");
    }
    if (parts.mounts.some((mount) => mount.mountPath === path)) {
      at.child("devicePath").invalid(path, "must not already exist as a path in volumeMounts");
    }
    names.add(name);
    paths.add(path);
  }
}
