import type { ClusterRoleBinding, RbacV1Subject, RoleBinding } from "#api/generated/types.ts";
import { nameOf, namespaceOf, type KubeObject } from "#api/meta.ts";
import { expiryAnnotation } from "#api/rbac/binding-expiry.ts";
import { rulesOf, type PolicyRule } from "#api/rbac/policy-rule.ts";
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from "#api/resources.ts";
import type { Resource } from "#api/resource.ts";
import type { Client } from "#client/client.ts";

/** One subject of one binding, with what its role allows. */
export interface Grant {
  readonly binding: BindingName;
  readonly role: RoleName;
  readonly subject: Subject;
  /** When it ends, as its annotation says; undefined: never. */
  readonly expires?: string;
  /** Undefined: the role does not exist, so the binding gives nothing. */
  readonly rules: readonly PolicyRule[] | undefined;
}

export interface BindingName {
  readonly kind: "ClusterRoleBinding" | "RoleBinding";
  readonly name: string;
  /** `""`: the whole cluster. */
  readonly namespace: string;
}

export interface RoleName {
  readonly kind: string;
  readonly name: string;
  /** `""` for a ClusterRole. */
  readonly namespace: string;
}

export interface Subject {
  readonly kind: string;
  readonly name: string;
  /** Of a service account. */
  readonly namespace: string;
}

export interface NamedRole extends RoleName {
  readonly rules: readonly PolicyRule[];
}

/** All that roles and bindings say, as one reading of the cluster found it. */
export interface AccessState {
  readonly grants: readonly Grant[];
  readonly roles: readonly NamedRole[];
}

export async function readAccess(client: Client): Promise<AccessState> {
  const [wide, narrow, everywhere, inNamespaces] = await Promise.all([
    listAll(client, clusterRoles),
    listAll(client, roles),
    listAll(client, clusterRoleBindings),
    listAll(client, roleBindings),
  ]);
  const named = [
    ...wide.map((role) => namedRole("ClusterRole", role)),
    ...narrow.map((role) => namedRole("Role", role)),
  ];
  const byName = new Map(named.map((role) => [roleKey(role), role.rules]));
  return {
    roles: named,
    grants: [
      ...everywhere.flatMap((binding) => grantsOf("ClusterRoleBinding", binding, byName)),
      ...inNamespaces.flatMap((binding) => grantsOf("RoleBinding", binding, byName)),
    ],
  };
}

function namedRole(
  kind: "ClusterRole" | "Role",
  role: KubeObject & { readonly rules?: unknown },
): NamedRole {
  return { kind, name: nameOf(role), namespace: namespaceOf(role), rules: rulesOf(role) };
}

function grantsOf(
  kind: BindingName["kind"],
  object: ClusterRoleBinding | RoleBinding,
  rules: ReadonlyMap<string, readonly PolicyRule[]>,
): readonly Grant[] {
  const binding = { kind, name: nameOf(object), namespace: namespaceOf(object) };
  const { kind: roleKind, name } = object.roleRef;
  const role = {
    kind: roleKind,
    name,
    namespace: roleKind === "Role" ? binding.namespace : "",
  };
  const expires = object.metadata.annotations?.[expiryAnnotation];
  return (object.subjects ?? []).map((subject) => ({
    ...(expires !== undefined && { expires }),
    binding,
    role,
    subject: subjectOf(subject, binding.namespace),
    rules: rules.get(roleKey(role)),
  }));
}

function subjectOf({ kind, name, namespace }: RbacV1Subject, home: string): Subject {
  return { kind, name, namespace: kind === "ServiceAccount" ? namespace || home : "" };
}

const roleKey = ({ kind, namespace, name }: RoleName): string => `${kind}/${namespace}/${name}`;

const pageSize = 500;

async function listAll<T extends KubeObject>(
  client: Client,
  resource: Resource<T>,
): Promise<readonly T[]> {
  const all: T[] = [];
  let page = await client.list(resource, { limit: pageSize });
  all.push(...page.items);
  while (page.continue !== undefined) {
    page = await client.list(resource, { limit: pageSize, continue: page.continue });
    all.push(...page.items);
  }
  return all;
}
