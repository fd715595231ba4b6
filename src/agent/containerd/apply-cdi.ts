import { stat } from "node:fs/promises";
import {
  type CdiDeviceNode,
  type CdiEdits,
  type CdiMount,
  findCdiEdits,
} from "#agent/containerd/cdi-specs.ts";
import type { ContainerConfig, Mount } from "#agent/runtime/container-runtime.ts";

type Device = NonNullable<ContainerConfig["devices"]>[number];

/**
 * The configuration with its CDI devices turned into what they consist of: for a runtime that does not know them. Throws
 * when an edit cannot be said in a configuration, as hooks.
 */
export async function applyCdi(
  config: ContainerConfig,
  dirs: readonly string[],
): Promise<ContainerConfig> {
  const names = config.cdiDevices ?? [];
  if (names.length === 0) return config;
  try {
    const edits = await findCdiEdits(dirs, names);
    for (const edit of edits) refuseUnsayable(edit);
    const devices = await Promise.all(
      edits.flatMap((edit) => edit.deviceNodes ?? []).map(deviceOf),
    );
    const mounts = edits.flatMap((edit) => edit.mounts ?? []).map(mountOf);
    const groups = edits.flatMap((edit) => edit.additionalGids ?? []).filter((gid) => gid > 0);
    const { security } = config;
    return {
      ...config,
      cdiDevices: [],
      env: withVariables(
        config.env,
        edits.flatMap((edit) => edit.env ?? []),
      ),
      devices: withOthers(config.devices ?? [], devices),
      mounts: withOthers(config.mounts, mounts),
      security: {
        ...security,
        supplementalGroups: [...new Set([...security.supplementalGroups, ...groups])],
      },
    };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`CDI device injection failed: ${why}`, { cause });
  }
}

function refuseUnsayable(edits: CdiEdits): void {
  for (const field of ["hooks", "netDevices"] as const) {
    if ((edits[field]?.length ?? 0) > 0) throw new Error(needsNewer(field));
  }
  if (edits.intelRdt) throw new Error(needsNewer("intelRdt"));
}

const needsNewer = (what: string): string => `${what} of a CDI device need containerd 1.7`;

async function deviceOf(node: CdiDeviceNode): Promise<Device> {
  const hostPath = node.hostPath ?? node.path;
  const { fileMode, uid, gid } = node;
  if (fileMode !== undefined || uid !== undefined || gid !== undefined) {
    const is = await stat(hostPath);
    const isSame =
      (fileMode ?? is.mode & 0o7777) === (is.mode & 0o7777) &&
      (uid ?? is.uid) === is.uid &&
      (gid ?? is.gid) === is.gid;
    if (!isSame) throw new Error(needsNewer(`another owner or mode of "${hostPath}"`));
  }
  return { containerPath: node.path, hostPath, permissions: node.permissions || "rwm" };
}

const propagations: Readonly<Record<string, Mount["propagation"]>> = {
  private: "private",
  rprivate: "private",
  slave: "host-to-container",
  rslave: "host-to-container",
  shared: "bidirectional",
  rshared: "bidirectional",
};

function mountOf({ hostPath, containerPath, type, options = [] }: CdiMount): Mount {
  if (type && type !== "bind" && type !== "none") {
    throw new Error(needsNewer(`mounts of type "${type}"`));
  }
  const own = options.filter((option) => !["bind", "rbind", "rw", "ro"].includes(option));
  const strange = own.find((option) => propagations[option] === undefined);
  if (strange !== undefined) throw new Error(needsNewer(`mounts with the option "${strange}"`));
  const propagation = propagations[own.at(-1) ?? "private"] ?? "private";
  return { hostPath, containerPath, readOnly: options.includes("ro"), propagation };
}

/** What a device sets counts before what the container does, as where the runtime applies it. */
function withVariables(
  env: ContainerConfig["env"],
  added: readonly string[],
): ContainerConfig["env"] {
  const all = new Map(env.map(({ name, value }) => [name, value]));
  for (const text of added) {
    const at = text.indexOf("=");
    if (at < 1) throw new Error(`"${text}" is no variable`);
    all.set(text.slice(0, at), text.slice(at + 1));
  }
  return [...all].map(([name, value]) => ({ name, value }));
}

function withOthers<T extends { readonly containerPath: string }>(
  given: readonly T[],
  added: readonly T[],
): readonly T[] {
  return [...new Map([...given, ...added].map((one) => [one.containerPath, one])).values()];
}
