import type { AppArmorProfile, Container, Pod } from "#api/generated/types.ts";
import type { ContainerSecurity } from "#agent/runtime/container-runtime.ts";

/** The pod's and the container's security contexts as one, the container's winning. */
export function containerSecurity(
  pod: Pod,
  container: Container,
  seccompDir: string,
): ContainerSecurity {
  const shared = pod.spec?.securityContext ?? {};
  const own = container.securityContext ?? {};
  const runAsUser = own.runAsUser ?? shared.runAsUser;
  const runAsGroup = own.runAsGroup ?? shared.runAsGroup;
  const groups = [...(shared.supplementalGroups ?? [])];
  if (shared.fsGroup !== undefined) groups.push(shared.fsGroup);
  return {
    privileged: own.privileged ?? false,
    readOnlyRootFilesystem: own.readOnlyRootFilesystem ?? false,
    noNewPrivileges: own.allowPrivilegeEscalation === false,
    ...(runAsUser !== undefined && { runAsUser }),
    ...(runAsGroup !== undefined && { runAsGroup }),
    supplementalGroups: groups,
    addCapabilities: own.capabilities?.add ?? [],
    dropCapabilities: own.capabilities?.drop ?? [],
    ...(shared.supplementalGroupsPolicy === "Strict" && { strictGroups: true }),
    ...(own.procMount === "Unmasked" && { unmasked: true }),
    ...appArmorOf(own.appArmorProfile ?? shared.appArmorProfile),
    seccomp: seccompOf(own.seccompProfile ?? shared.seccompProfile, own.privileged, seccompDir),
  };
}

function appArmorOf(
  profile: AppArmorProfile | undefined,
): Pick<ContainerSecurity, "appArmorProfile"> {
  if (profile?.type === "Unconfined") return { appArmorProfile: "" };
  return profile?.type === "Localhost" ? { appArmorProfile: profile.localhostProfile ?? "" } : {};
}

function seccompOf(
  profile: { readonly type: string; readonly localhostProfile?: string } | undefined,
  privileged: boolean | undefined,
  seccompDir: string,
): ContainerSecurity["seccomp"] {
  if (privileged || profile === undefined || profile.type === "Unconfined") {
    return { kind: "unconfined" };
  }
  if (profile.type === "Localhost") {
    return { kind: "localhost", path: `${seccompDir}/${profile.localhostProfile ?? ""}` };
  }
  return { kind: "runtime-default" };
}

/** Upstream's text when `runAsNonRoot` forbids the user that the container would have. */
export function nonRootProblem(
  pod: Pod,
  container: Container,
  imageUser: string,
): string | undefined {
  const shared = pod.spec?.securityContext;
  const own = container.securityContext;
  if (!(own?.runAsNonRoot ?? shared?.runAsNonRoot)) return undefined;
  const where = `(pod: "${pod.metadata.name}_${pod.metadata.namespace}(${pod.metadata.uid})", container: ${container.name})`;
  const asked = own?.runAsUser ?? shared?.runAsUser;
  if (asked === 0) return `container's runAsUser breaks non-root policy ${where}`;
  if (asked !== undefined) return undefined;
  const [user = ""] = imageUser.split(":");
  if (user === "" || user === "0") {
    return `container has runAsNonRoot and image will run as root ${where}`;
  }
  if (/^\d+$/.test(user)) return undefined;
  return `container has runAsNonRoot and image has non-numeric user (${user}), cannot verify user is non-root ${where}`;
}
