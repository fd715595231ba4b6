import type { Pod, VolumeMount } from "#api/generated/types.ts";
import { chmod, mkdir, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { messagePathOf } from "#agent/pods/container-config.ts";
import { expand } from "#agent/pods/expansion.ts";
import type { PodContainer } from "#agent/pods/pod-containers.ts";
import type { Mount, RuntimeFeatures } from "#agent/runtime/container-runtime.ts";
import { bindSubPath } from "#agent/volumes/mounts.ts";
import type { PodDirectory } from "#agent/volumes/pod-directory.ts";
import type { ReadyVolumes } from "#agent/volumes/pod-volumes.ts";

export interface MountParts {
  readonly pod: Pod;
  readonly container: PodContainer;
  readonly attempt: number;
  readonly directory: PodDirectory;
  readonly volumes: ReadyVolumes;
  readonly environment: ReadonlyMap<string, string>;
  readonly features?: RuntimeFeatures;
}

/** What is mounted into a container: its volumes, `/etc/hosts`, and the file for its last words. */
export async function containerMounts(parts: MountParts): Promise<readonly Mount[]> {
  const { spec } = parts.container;
  const mounts: Mount[] = [];
  for (const [index, mount] of (spec.volumeMounts ?? []).entries()) {
    mounts.push(await volumeMount(parts, mount, index));
  }
  const takesHosts = !(spec.volumeMounts ?? []).some(({ mountPath }) => mountPath === "/etc/hosts");
  if (takesHosts) mounts.push(plain(parts.directory.hosts, "/etc/hosts"));
  mounts.push(await lastWords(parts));
  return mounts;
}

async function volumeMount(
  { container, directory, volumes, environment, features }: MountParts,
  mount: VolumeMount,
  index: number,
): Promise<Mount> {
  const volume = volumes.get(mount.name);
  if (volume === undefined) {
    throw new Error(
      `cannot find volume "${mount.name}" to mount into container "${container.spec.name}"`,
    );
  }
  const subPath = subPathOf(mount, environment);
  const target = directory.subPath(mount.name, container.spec.name, index);
  if (subPath !== "") {
    try {
      await bindSubPath(volume.hostPath, subPath, target);
    } catch (cause) {
      const message = `failed to prepare subPath for volumeMount "${mount.name}" of container "${container.spec.name}"`;
      throw new Error(message, { cause });
    }
  }
  const recursiveReadOnly = isRecursivelyReadOnly(mount, features?.recursiveReadOnly ?? false);
  return {
    ...(recursiveReadOnly && { recursiveReadOnly }),
    hostPath: subPath === "" ? volume.hostPath : target,
    containerPath: mount.mountPath.startsWith("/") ? mount.mountPath : `/${mount.mountPath}`,
    readOnly: (mount.readOnly ?? false) || volume.readOnly,
    propagation: propagationOf(mount),
  };
}

function subPathOf(mount: VolumeMount, environment: ReadonlyMap<string, string>): string {
  if (!mount.subPathExpr) return mount.subPath ?? "";
  const missing = new Set<string>();
  const subPath = expand(mount.subPathExpr, (name) => {
    const value = environment.get(name);
    if (!value) missing.add(name);
    return value;
  });
  if (missing.size > 0) {
    throw new Error(`missing value for ${[...missing].toSorted().join(", ")}`);
  }
  if (subPath.startsWith("/")) {
    throw new Error(`error SubPath \`${subPath}\` must not be an absolute path`);
  }
  return subPath;
}

function propagationOf({ mountPropagation }: VolumeMount): Mount["propagation"] {
  if (mountPropagation === "HostToContainer") return "host-to-container";
  return mountPropagation === "Bidirectional" ? "bidirectional" : "private";
}

/** Upstream's words where what is asked for cannot be had. */
function isRecursivelyReadOnly(mount: VolumeMount, isSupported: boolean): boolean {
  const { name, recursiveReadOnly: mode, mountPropagation: propagation = "None" } = mount;
  if (mode === undefined || mode === "Disabled") return false;
  const asked = `volume "${name}" requested recursive read-only mode, but it is`;
  if (!mount.readOnly) throw new Error(`${asked} not read-only`);
  if (propagation !== "None") {
    throw new Error(`${asked} not compatible with propagation "${propagation}"`);
  }
  if (mode === "Enabled" && !isSupported) throw new Error(`${asked} not supported by the runtime`);
  return isSupported;
}

async function lastWords({ container, attempt, directory }: MountParts): Promise<Mount> {
  const file = directory.terminationLog(container.spec.name, attempt);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, "", { flag: "a" });
  // Whatever user the container runs as; the mode of a new file is cut by the process's mask.
  await chmod(file, 0o666);
  return plain(file, messagePathOf(container.spec));
}

function plain(hostPath: string, containerPath: string): Mount {
  return { hostPath, containerPath, readOnly: false, propagation: "private" };
}
