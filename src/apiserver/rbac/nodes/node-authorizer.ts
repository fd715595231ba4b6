import type { Attributes, Authorizer, Decision } from "#apiserver/authorizer.ts";
import type { StoreCache } from "#apiserver/cache/store-cache.ts";
import { longRule } from "#apiserver/rbac/defaults/role-table.ts";
import { systemRoles } from "#apiserver/rbac/defaults/system-roles.ts";
import { NodeGraph } from "#apiserver/rbac/nodes/node-graph.ts";
import { nodeNameOf } from "#apiserver/rbac/nodes/node-identity.ts";
import { ruleAllows, rulesOf } from "#api/rbac/policy-rule.ts";

/**
 * What nodes may do (`system:node:NAME` in `system:nodes`): report about themselves, and read what the pods that are
 * bound to them need. What a node writes is narrowed further by `nodeRestriction`.
 */
export function createNodeAuthorizer(cache: StoreCache): Authorizer {
  const graph = new NodeGraph(cache);
  return {
    authorize(attributes) {
      const node = nodeNameOf(attributes.user);
      if (node === undefined) return unknownNode(attributes);
      const check = attributes.isResource ? checks[resourceOf(attributes)] : undefined;
      return check === undefined ? byRole(attributes) : check({ node, graph }, attributes);
    },
    rules: (user) => ({
      resourceRules: [],
      nonResourceRules: [],
      ...(nodeNameOf(user) !== undefined && {
        incomplete: "node authorizer does not support user rule resolution",
      }),
    }),
  };
}

function unknownNode({ user }: Attributes): Decision {
  const nameless = user.name === "system:node:" && user.groups.includes("system:nodes");
  return no(nameless ? `unknown node for user ${JSON.stringify(user.name)}` : "");
}

interface Asking {
  readonly node: string;
  readonly graph: NodeGraph;
}

type Check = (asking: Asking, attributes: Attributes) => Decision;

function resourceOf({ group, resource }: Attributes): string {
  return group === "" ? resource : `${resource}.${group}`;
}

const checks: Readonly<Record<string, Check>> = {
  secrets: readOne,
  configmaps: readOne,
  persistentvolumeclaims: (asking, attributes) =>
    attributes.subresource === "status"
      ? updateStatus(asking, attributes)
      : getOne(asking, attributes),
  persistentvolumes,
  "resourceclaims.resource.k8s.io": getOne,
  "volumeattachments.storage.k8s.io": (asking, attributes) =>
    single(attributes, () => asking.graph.names(asking.node, attributes)) ?? unrelated(asking),
  serviceaccounts: serviceAccount,
  "leases.coordination.k8s.io": lease,
  "csinodes.storage.k8s.io": csiNode,
  "resourceslices.resource.k8s.io": resourceSlice,
  nodes: ownNode,
  pods,
};

const yes: Decision = { allowed: true, reason: "" };

function no(reason: string): Decision {
  return { allowed: false, reason };
}

/** All else is as the role `system:node` has it. */
const nodeRules = rulesOf({ rules: (systemRoles["system:node"] ?? []).map(longRule) });

function byRole(attributes: Attributes): Decision {
  return nodeRules.some((rule) => ruleAllows(rule, attributes)) ? yes : no("");
}

function unrelated({ node }: Asking): Decision {
  return no(`no relationship found between node '${node}' and this object`);
}

function related(asking: Asking, attributes: Attributes): Decision {
  if (attributes.name === "") return no("No Object name found");
  const found = asking.graph.needs(asking.node, attributes.resource, attributes);
  return found ? yes : unrelated(asking);
}

function readOne(asking: Asking, attributes: Attributes): Decision {
  if (!reading.has(attributes.verb)) return no("can only read resources of this type");
  if (attributes.subresource !== "") return no("cannot read subresource");
  if (attributes.namespace === "") return no("can only read namespaced object of this type");
  return related(asking, attributes);
}

const reading: ReadonlySet<string> = new Set(["get", "list", "watch"]);

/** Refuses all but a `get`; undefined when `holds` does not. */
function single(
  { verb, subresource, name }: Attributes,
  holds: () => boolean,
): Decision | undefined {
  if (verb !== "get") return no("can only get individual resources of this type");
  if (subresource !== "") return no("cannot get subresource");
  if (name === "") return no("No Object name found");
  return holds() ? yes : undefined;
}

function getOne(asking: Asking, attributes: Attributes): Decision {
  const { node, graph } = asking;
  return (
    single(attributes, () => graph.needs(node, attributes.resource, attributes)) ??
    unrelated(asking)
  );
}

/** The label of volumes that are directories of one node: it follows these to know which it may remove. */
const nodeOfVolume = "kogge.dev/node";

function persistentvolumes(asking: Asking, attributes: Attributes): Decision {
  const { verb, labelSelector = "", subresource } = attributes;
  const follows = (verb === "list" || verb === "watch") && subresource === "";
  if (follows && labelSelector === `${nodeOfVolume}=${asking.node}`) return yes;
  return getOne(asking, attributes);
}

function updateStatus(asking: Asking, attributes: Attributes): Decision {
  if (!["update", "patch"].includes(attributes.verb)) {
    return no("can only get/update/patch this type");
  }
  return related(asking, attributes);
}

function serviceAccount(asking: Asking, attributes: Attributes): Decision {
  const { verb, subresource, name } = attributes;
  if (verb === "get" && subresource === "") return related(asking, attributes);
  if (verb !== "create" || name === "") {
    return no("can only create tokens for individual service accounts");
  }
  if (subresource !== "token") return no("can only create token subresource of serviceaccount");
  return related(asking, attributes);
}

function lease({ node }: Asking, { verb, namespace, name }: Attributes): Decision {
  if (!ownWrites.has(verb))
    return no("can only get, create, update, patch, or delete a node lease");
  if (namespace !== "kube-node-lease") {
    return no('can only access leases in the "kube-node-lease" system namespace');
  }
  // The name of what is created is seen by the admission.
  if (verb === "create" || name === node) return yes;
  return no("can only access node lease with the same name as the requesting node");
}

const ownWrites: ReadonlySet<string> = new Set(["get", "create", "update", "patch", "delete"]);

function csiNode({ node }: Asking, { verb, subresource, name }: Attributes): Decision {
  if (!ownWrites.has(verb)) return no("can only get, create, update, patch, or delete a CSINode");
  if (subresource !== "") return no("cannot authorize CSINode subresources");
  if (verb === "create" || name === node) return yes;
  return no("can only access CSINode with the same name as the requesting node");
}

function resourceSlice(asking: Asking, attributes: Attributes): Decision {
  const { verb, subresource } = attributes;
  if (subresource !== "") return no("cannot authorize ResourceSlice subresources");
  if (verb === "create") return yes;
  if (["list", "watch", "deletecollection"].includes(verb)) {
    return selects(attributes, "spec.nodeName", asking.node)
      ? yes
      : no("can only list/watch/deletecollection resourceslices with nodeName field selector");
  }
  if (!ownWrites.has(verb)) {
    return no(
      "only the following verbs are allowed for a ResourceSlice: get, watch, list, create, update, patch, delete, deletecollection",
    );
  }
  return asking.graph.names(asking.node, attributes) ? yes : unrelated(asking);
}

function ownNode({ node }: Asking, { verb, subresource, name }: Attributes): Decision {
  if (subresource === "status") return ["update", "patch"].includes(verb) ? yes : no("");
  if (subresource !== "") return no("");
  if (["create", "update", "patch"].includes(verb)) return yes;
  if (!reading.has(verb)) return no("");
  if (name === node) return yes;
  return no(
    name === ""
      ? `node '${node}' cannot read all nodes, only its own Node object`
      : `node '${node}' cannot read '${name}', only its own Node object`,
  );
}

function pods(asking: Asking, attributes: Attributes): Decision {
  const { verb, subresource } = attributes;
  if (subresource === "status") return ["update", "patch"].includes(verb) ? yes : no("");
  if (subresource === "eviction") return verb === "create" ? yes : no("");
  if (subresource !== "") return no("");
  if (verb === "create" || verb === "delete") return yes;
  return reading.has(verb) ? readPods(asking, attributes) : no("");
}

function readPods(asking: Asking, attributes: Attributes): Decision {
  const { verb, namespace, name } = attributes;
  if (verb !== "get" && selects(attributes, "spec.nodeName", asking.node)) return yes;
  if (name === "") {
    return no(
      verb === "get"
        ? "No Object name found"
        : "can only list/watch pods with spec.nodeName field selector",
    );
  }
  return asking.graph.runs(asking.node, `${namespace}/${name}`) ? yes : unrelated(asking);
}

/** Whether the request asks for nothing but what has this value in the field. */
function selects({ fieldSelector = "" }: Attributes, field: string, value: string): boolean {
  return fieldSelector
    .split(",")
    .some((term) => term === `${field}=${value}` || term === `${field}==${value}`);
}
