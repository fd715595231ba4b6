import { customKindsOf } from "#api/custom/custom-kinds.ts";
import type { Column, JsonObject, Kind } from "#api/kind.ts";
import { namespaces } from "#api/resources.ts";
import type { Authorizer } from "#apiserver/authorizer.ts";
import { resourcePrefix, type StoreCache } from "#apiserver/cache/store-cache.ts";
import type { ComputedKind, ComputedWish } from "#apiserver/computed-kind.ts";
import { objectAt, stringAt, stringsAt } from "#apiserver/objects/json.ts";
import type { RbacIndex } from "#apiserver/rbac/rbac-index.ts";
import type { UserInfo } from "#apiserver/request.ts";

export interface VisibleNamespacesParts {
  readonly cache: StoreCache;
  readonly authorizer: Authorizer;
  readonly grants: Pick<RbacIndex, "grantsOf">;
}

/**
 * The namespaces that somebody has a role in or may read: what `kubectl get namespaces` cannot tell those who may not
 * list all of them.
 */
export function visibleNamespaces(parts: VisibleNamespacesParts): ComputedKind {
  return { kind: visibleNamespaceKind, read: (wish) => read(parts, wish) };
}

async function read(parts: VisibleNamespacesParts, wish: ComputedWish): Promise<JsonObject[]> {
  const prefix = resourcePrefix(namespaces);
  const visible: JsonObject[] = [];
  for (const stored of parts.cache.resource(prefix).list(prefix)) {
    const name = stored.key.slice(prefix.length);
    if (wish.name !== undefined && wish.name !== name) continue;
    const metadata = objectAt(stored.object, "metadata");
    const labels = objectAt(metadata, "labels") as Readonly<Record<string, string>>;
    if (!wish.matchesLabels(labels)) continue;
    const roles = rolesIn(parts, wish.user, name);
    if (roles.length === 0 && !(await mayRead(parts.authorizer, wish.user, name))) continue;
    const { uid, creationTimestamp } = metadata;
    visible.push({
      apiVersion: `${group}/v1`,
      kind: "VisibleNamespace",
      metadata: {
        name,
        labels: { ...labels },
        uid: uid ?? "",
        creationTimestamp: creationTimestamp ?? null,
      },
      phase: stringAt(objectAt(stored.object, "status"), "phase"),
      roles: [...roles],
    });
  }
  return visible;
}

/** The roles that bindings in the namespace itself give. */
function rolesIn(
  { grants }: VisibleNamespacesParts,
  user: UserInfo,
  namespace: string,
): readonly string[] {
  const names = new Set<string>();
  for (const grant of grants.grantsOf(user, namespace)) {
    if (grant.namespace !== "") names.add(grant.role.name);
  }
  return [...names].toSorted();
}

async function mayRead(authorizer: Authorizer, user: UserInfo, name: string): Promise<boolean> {
  const decision = await authorizer.authorize({
    user,
    verb: "get",
    isResource: true,
    group: "",
    version: "v1",
    resource: "namespaces",
    subresource: "",
    namespace: name,
    name,
    path: "",
  });
  return decision.allowed;
}

const group = "access.kogge.dev";

const columns: readonly Column[] = [
  column("Name", "name", (object) => stringAt(objectAt(object, "metadata"), "name")),
  column("Status", "", (object) => stringAt(object, "phase")),
  column("Roles", "", (object) => stringsAt(object, "roles").join(",")),
];

function column(name: string, format: string, cell: Column["cell"]): Column {
  const descriptions: Readonly<Record<string, string>> = {
    Name: "Name of the namespace",
    Status: "Whether the namespace is Active or Terminating",
    Roles: "The roles that you have in it by its own bindings",
  };
  const description = descriptions[name] ?? "";
  return { name, type: "string", format, description, priority: 0, cell };
}

const visibleNamespaceKind: Kind = makeKind();

function makeKind(): Kind {
  const [kind] = customKindsOf({
    apiVersion: "apiextensions.k8s.io/v1",
    kind: "CustomResourceDefinition",
    metadata: { name: `visiblenamespaces.${group}` },
    spec: {
      group,
      scope: "Cluster",
      names: {
        plural: "visiblenamespaces",
        singular: "visiblenamespace",
        kind: "VisibleNamespace",
        shortNames: ["myns"],
      },
      versions: [
        {
          name: "v1",
          served: true,
          storage: true,
          schema: {
            openAPIV3Schema: {
              type: "object",
              description: "A namespace that you have a role in or may read.",
              properties: {
                phase: { type: "string" },
                roles: { type: "array", items: { type: "string" } },
              },
            },
          },
        },
      ],
    },
  });
  if (kind === undefined) throw new Error("Cannot serve VisibleNamespace: it has no version");
  return { ...kind, verbs: ["get", "list"], columns };
}
