import type {
  AppArmorProfile,
  PodSecurityContext,
  SeccompProfile,
  SecurityContext,
} from "#api/generated/types.ts";
import { checkLocalPath } from "#api/strategies/core/pod/local-path.ts";
import { checkOneOf, checkOneOfIfSet, checkUnique } from "#api/validation/checks.ts";
import type { Field } from "#api/validation/field.ts";
import { userIdProblems } from "#api/validation/formats.ts";
import { type Given, itemsOf } from "#api/validation/given.ts";

export function checkPodSecurity(
  field: Field,
  context: Given<PodSecurityContext> | null | undefined,
): void {
  if (!context) return;
  for (const name of ["fsGroup", "runAsUser", "runAsGroup"] as const) {
    const id = context[name];
    if (typeof id === "number") field.child(name).invalidAll(id, userIdProblems(id));
  }
  for (const [index, group] of itemsOf(context.supplementalGroups).entries()) {
    field.child("supplementalGroups").index(index).invalidAll(group, userIdProblems(group));
  }
  for (const [name, supported] of policies) {
    checkOneOfIfSet(field.child(name), context[name], supported);
  }
  checkSysctls(field.child("sysctls"), context);
  checkSeccomp(field.child("seccompProfile"), context.seccompProfile);
  checkAppArmor(field.child("appArmorProfile"), context.appArmorProfile);
}

const policies = [
  ["fsGroupChangePolicy", ["Always", "OnRootMismatch"]],
  ["supplementalGroupsPolicy", ["Merge", "Strict"]],
  ["seLinuxChangePolicy", ["MountOption", "Recursive"]],
] as const;

export function checkContainerSecurity(
  field: Field,
  context: Given<SecurityContext> | null | undefined,
): void {
  if (!context) return;
  for (const name of ["runAsUser", "runAsGroup"] as const) {
    const id = context[name];
    if (typeof id === "number") field.child(name).invalidAll(id, userIdProblems(id));
  }
  checkOneOfIfSet(field.child("procMount"), context.procMount, ["Default", "Unmasked"]);
  checkSeccomp(field.child("seccompProfile"), context.seccompProfile);
  checkAppArmor(field.child("appArmorProfile"), context.appArmorProfile);
  if (context.allowPrivilegeEscalation !== false) return;
  if (context.privileged) {
    field.invalid(
      context,
      "cannot set `allowPrivilegeEscalation` to false and `privileged` to true",
    );
  }
  if (itemsOf(context.capabilities?.add).includes("CAP_SYS_ADMIN")) {
    field.invalid(
      context,
      "cannot set `allowPrivilegeEscalation` to false and `capabilities.Add` CAP_SYS_ADMIN",
    );
  }
}

const sysctlForm = /^([a-z0-9]([-_a-z0-9]*[a-z0-9])?[./])*[a-z0-9]([-_a-z0-9]*[a-z0-9])?$/;
const sysctlMaxLength = 253;

function checkSysctls(field: Field, context: Given<PodSecurityContext>): void {
  const sysctls = itemsOf(context.sysctls);
  for (const [index, { name }] of sysctls.entries()) {
    const at = field.index(index).child("name");
    if (!name) at.required();
    else if (name.length > sysctlMaxLength || !sysctlForm.test(name)) {
      const rule = `must have at most ${sysctlMaxLength} characters and match regex ${sysctlForm.source}`;
      at.invalid(name, rule);
    }
  }
  checkUnique(
    sysctls.filter(({ name }) => name),
    ({ name }) => name ?? "",
    (index, name) => field.index(index).child("name").duplicate(name),
  );
}

function checkSeccomp(field: Field, profile: Given<SeccompProfile> | null | undefined): void {
  if (!profile) return;
  checkOneOf(field.child("type"), profile.type, ["Localhost", "RuntimeDefault", "Unconfined"]);
  const path = field.child("localhostProfile");
  if (profile.type !== "Localhost") {
    if (typeof profile.localhostProfile === "string") {
      path.invalid(profile, "can only be set when seccomp type is Localhost");
    }
  } else if (typeof profile.localhostProfile !== "string") {
    path.required("must be set when seccomp type is Localhost");
  } else checkLocalPath(path, profile.localhostProfile);
}

function checkAppArmor(field: Field, profile: Given<AppArmorProfile> | null | undefined): void {
  if (!profile) return;
  const path = field.child("localhostProfile");
  checkOneOf(field.child("type"), profile.type, ["Localhost", "RuntimeDefault", "Unconfined"]);
  if (profile.type === "Localhost") {
    if (!profile.localhostProfile) path.required("must be set when AppArmor type is Localhost");
  } else if (typeof profile.localhostProfile === "string") {
    path.invalid(profile.localhostProfile, "can only be set when AppArmor type is Localhost");
  }
}
