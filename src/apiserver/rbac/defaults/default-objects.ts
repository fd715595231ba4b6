import type { JsonObject } from "#api/kind.ts";
import type { Json } from "#api/meta.ts";
import type { FirstObject } from "#apiserver/bootstrap/first-objects.ts";
import { aggregatedRules } from "#apiserver/rbac/aggregation.ts";
import { controllerRoles } from "#apiserver/rbac/defaults/controller-roles.ts";
import { clusterBindings, namespacedBindings } from "#apiserver/rbac/defaults/default-bindings.ts";
import { namespacedRoles } from "#apiserver/rbac/defaults/namespaced-roles.ts";
import { longRule, type ShortRule } from "#apiserver/rbac/defaults/role-table.ts";
import { systemRoles } from "#apiserver/rbac/defaults/system-roles.ts";
import { userRoles } from "#apiserver/rbac/defaults/user-roles.ts";
import { rbacGroup } from "#apiserver/rbac/rbac-index.ts";

/** All roles and bindings that upstream gives every cluster. */
export function defaultAccess(): readonly FirstObject[] {
  return [
    ...defaultClusterRoles(),
    ...controllerNames.map((name) => controllerBinding(name)),
    ...Object.entries(clusterBindings).map(([name, subjects]) =>
      first("clusterrolebindings", "ClusterRoleBinding", {
        metadata: metadataOf(name),
        roleRef: roleRef("ClusterRole", name),
        ...(subjects.length > 0 && { subjects: subjects.map(subjectOf) }),
      }),
    ),
    ...namespacedRoles.map(({ namespace, name, rules }) =>
      first("roles", "Role", {
        metadata: { ...metadataOf(name), namespace },
        rules: rules.map(longRule),
      }),
    ),
    ...namespacedBindings.map(({ namespace, name, role, subjects }) =>
      first("rolebindings", "RoleBinding", {
        metadata: { ...metadataOf(name), namespace },
        roleRef: roleRef("Role", role),
        subjects: subjects.map(subjectOf),
      }),
    ),
  ];
}

/** What Kogge gives every cluster beyond that: everybody who is logged in may ask for their own namespaces. */
export function ownAccess(): readonly FirstObject[] {
  const name = "kogge:visible-namespaces";
  const rule = {
    apiGroups: ["access.kogge.dev"],
    resources: ["visiblenamespaces"],
    verbs: ["get", "list"],
  };
  return [
    first("clusterroles", "ClusterRole", { metadata: metadataOf(name), rules: [rule] }),
    first("clusterrolebindings", "ClusterRoleBinding", {
      metadata: metadataOf(name),
      roleRef: roleRef("ClusterRole", name),
      subjects: [subjectOf("Group system:authenticated")],
    }),
  ];
}

/** Aggregated roles come with the rules that the other defaults give them. */
function defaultClusterRoles(): readonly FirstObject[] {
  const plain = [
    ...Object.entries(userRoles),
    ...Object.entries(systemRoles),
    ...controllerNames.map(
      (name) => [controllerPrefix + name, controllerRoles[name] ?? []] as const,
    ),
  ].map(([name, rules]) => clusterRole(name, rules));
  const made = plain.map(({ object }) => object);
  const aggregated: FirstObject[] = [];
  // From the smallest to the largest: each is part of the next.
  for (const level of levels) {
    const role = aggregatedRole(level);
    role.object.rules = [...aggregatedRules(role.object, byName(made))];
    made.push(role.object);
    aggregated.push(role);
  }
  return [...plain, ...aggregated];
}

const levels = ["view", "edit", "admin"] as const;
const partOf: Readonly<Record<string, string>> = {
  view: "edit",
  edit: "admin",
  "system:aggregate-to-view": "view",
  "system:aggregate-to-edit": "edit",
  "system:aggregate-to-admin": "admin",
};

function byName(roles: readonly JsonObject[]): readonly JsonObject[] {
  const nameOf = ({ metadata }: JsonObject): string => (metadata as { name: string }).name;
  return roles.toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
}

function aggregatedRole(name: string): FirstObject {
  const matchLabels = { [aggregationLabel(name)]: "true" };
  return first("clusterroles", "ClusterRole", {
    metadata: metadataOf(name),
    aggregationRule: { clusterRoleSelectors: [{ matchLabels }] },
    rules: [],
  });
}

function clusterRole(name: string, rules: readonly ShortRule[]): FirstObject {
  return first("clusterroles", "ClusterRole", {
    metadata: metadataOf(name),
    rules: rules.map(longRule),
  });
}

const controllerPrefix = "system:controller:";
const controllerNames = Object.keys(controllerRoles);

function controllerBinding(controller: string): FirstObject {
  const name = controllerPrefix + controller;
  return first("clusterrolebindings", "ClusterRoleBinding", {
    metadata: metadataOf(name),
    roleRef: roleRef("ClusterRole", name),
    subjects: [subjectOf(`ServiceAccount kube-system/${controller}`)],
  });
}

export const autoUpdate = "rbac.authorization.kubernetes.io/autoupdate";

function metadataOf(name: string): JsonObject {
  const part = partOf[name];
  return {
    name,
    labels: {
      "kubernetes.io/bootstrapping": "rbac-defaults",
      ...(part !== undefined && { [aggregationLabel(part)]: "true" }),
    },
    annotations: { [autoUpdate]: "true" },
  };
}

function aggregationLabel(role: string): string {
  return `rbac.authorization.k8s.io/aggregate-to-${role}`;
}

function roleRef(kind: string, name: string): JsonObject {
  return { apiGroup: rbacGroup, kind, name };
}

/** `User NAME`, `Group NAME` or `ServiceAccount NAMESPACE/NAME`. */
function subjectOf(text: string): Json {
  const [kind = "", whole = ""] = text.split(" ");
  if (kind !== "ServiceAccount") return { apiGroup: rbacGroup, kind, name: whole };
  const [namespace = "", name = ""] = whole.split("/");
  return { kind, name, namespace };
}

function first(resource: string, kind: string, content: JsonObject): FirstObject {
  const object = { kind, apiVersion: `${rbacGroup}/v1`, ...content };
  return { group: rbacGroup, version: "v1", resource, object };
}
