import process from "node:process";
import type { RbacV1Subject } from "#api/generated/types.ts";
import { expiryAnnotation } from "#api/rbac/binding-expiry.ts";
import { clusterRoleBindings, clusterRoles, roleBindings, roles } from "#api/resources.ts";
import { ifFound } from "#api/status.ts";
import { rfc3339 } from "#base/clock.ts";
import type { Client } from "#client/client.ts";
import type { GrantOptions } from "#cli/access-commands.ts";
import { withAccessClient } from "#main/access/access-client.ts";
import { parseDuration } from "#main/token-commands.ts";

const apiGroup = "rbac.authorization.k8s.io";

/** `kogge grant ROLE --user U --for 2h`: a binding that ends by itself. */
export async function grantCommand(role: string, options: GrantOptions): Promise<void> {
  const subject = subjectOf(options);
  const lifetimeMs = parseDuration(options.for);
  if (lifetimeMs === 0)
    throw new Error("Cannot grant a role for no time: give --for 30m, 2h or 7d");
  const expires = rfc3339(Date.now() + lifetimeMs);
  const binding = await withAccessClient(options, async (client) => {
    const roleRef = { apiGroup, kind: await kindOf(client, role, options.namespace), name: role };
    const metadata = {
      generateName: `${subject.name.replaceAll(/[^a-zA-Z0-9.-]/g, "-")}-${role}-`,
      annotations: { [expiryAnnotation]: expires },
      ...(options.namespace !== undefined && { namespace: options.namespace }),
    };
    const content = { apiVersion: `${apiGroup}/v1`, metadata, roleRef, subjects: [subject] };
    return options.namespace === undefined
      ? client.create(clusterRoleBindings, { ...content, kind: "ClusterRoleBinding" })
      : client.create(roleBindings, { ...content, kind: "RoleBinding" });
  });
  if (options.json) {
    process.stdout.write(`${JSON.stringify(binding)}\n`);
    return;
  }
  const where = options.namespace === undefined ? "the whole cluster" : `"${options.namespace}"`;
  process.stdout.write(
    `${subject.kind} ${subject.name} has ${role} in ${where} until ${expires} (${binding.kind} ${binding.metadata.name})\n`,
  );
}

function subjectOf({ user, group, serviceaccount }: GrantOptions): RbacV1Subject {
  const given = [user, group, serviceaccount].filter((one) => one !== undefined);
  if (given.length !== 1)
    throw new Error(
      "Cannot tell whom to grant the role: give one of --user, --group and --serviceaccount",
    );
  if (user !== undefined) return { apiGroup, kind: "User", name: user };
  if (group !== undefined) return { apiGroup, kind: "Group", name: group };
  const [namespace, name] = (serviceaccount ?? "").split(":");
  if (!namespace || !name)
    throw new Error(`Cannot read "${serviceaccount}": a service account is NAMESPACE:NAME`);
  return { kind: "ServiceAccount", name, namespace };
}

/** A Role of the namespace goes before a ClusterRole of the same name. @throws when there is neither */
async function kindOf(
  client: Client,
  name: string,
  namespace: string | undefined,
): Promise<string> {
  if (namespace !== undefined && (await exists(client.get(roles, { namespace, name }))))
    return "Role";
  if (await exists(client.get(clusterRoles, { name }))) return "ClusterRole";
  throw new Error(
    `Cannot grant "${name}": there is no such role; kubectl get clusterroles lists them`,
  );
}

async function exists(asked: Promise<unknown>): Promise<boolean> {
  return (await ifFound(asked)) !== undefined;
}
