import type {
  ClusterRole,
  ClusterRoleBinding,
  PolicyRule as WrittenRule,
  RbacV1Subject,
  Role,
  RoleBinding,
} from "#api/generated/types.ts";
import type { PolicyRule } from "#api/rbac/policy-rule.ts";
import type { RoleRules } from "#addons/access/smallest-role.ts";

const apiGroup = "rbac.authorization.k8s.io";
const apiVersion = `${apiGroup}/v1`;

type Manifest = Role | ClusterRole | RoleBinding | ClusterRoleBinding;

/** Roles and the bindings that give them to a user, ready for `kubectl apply`. */
export function roleManifests(
  roles: readonly RoleRules[],
  name: string,
  user: string,
): readonly Manifest[] {
  return roles.flatMap(({ namespace, rules }) => {
    const kind = namespace === "" ? "ClusterRole" : "Role";
    const metadata = { name, ...(namespace !== "" && { namespace }) };
    return [
      { apiVersion, kind, metadata, rules: rules.map(writtenRule) },
      {
        apiVersion,
        kind: `${kind}Binding`,
        metadata,
        roleRef: { apiGroup, kind, name },
        subjects: [subjectFor(user)],
      },
    ];
  });
}

function writtenRule({ verbs, ...of }: PolicyRule): WrittenRule {
  const given = Object.entries(of).filter(([, values]) => values.length > 0);
  return { ...Object.fromEntries(given), verbs };
}

function subjectFor(user: string): RbacV1Subject {
  const [, namespace, name] = /^system:serviceaccount:([^:]+):([^:]+)$/.exec(user) ?? [];
  return namespace !== undefined && name !== undefined
    ? { kind: "ServiceAccount", name, namespace }
    : { apiGroup, kind: "User", name: user };
}

/** A name that RBAC and people accept: `jane@example.com` becomes `jane-example.com`. */
export function roleNameFor(user: string): string {
  const plain = user
    .replace(/^system:serviceaccount:[^:]+:/, "")
    .toLowerCase()
    .replaceAll(/[^a-z0-9.-]+/g, "-")
    .replaceAll(/^[.-]+|[.-]+$/g, "");
  return `${plain === "" ? "user" : plain}-audited`;
}
