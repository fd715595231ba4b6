import type {
  ClusterRole,
  ClusterRoleBinding,
  ConfigMap,
  PolicyRule,
  RbacV1Subject as Subject,
  Role,
  RoleBinding,
} from "#api/generated/types.ts";
import type { KubeObject, ObjectName } from "#api/meta.ts";
import type { Resource } from "#api/resource.ts";
import {
  clusterRoleBindings,
  clusterRoles,
  configMaps,
  roleBindings,
  roles,
} from "#api/resources.ts";
import { isAlreadyExists, isNotFound } from "#api/status.ts";
import type { Client } from "#client/client.ts";

/** The group of the tokens that `kogge token create` makes. */
export const agentTokenGroup = "system:bootstrappers:kogge:agents";

/** What a node that joins must know of the cluster: `kube-system/kogge-agent-config`. */
export interface AgentConfig {
  readonly podCidr: string;
  readonly serviceCidr: string;
  readonly clusterDomain: string;
  /** Who signs the serving certificates of nodes, in PEM: by it nodes know each other. */
  readonly servingAuthority: string;
}

export const agentConfigName = { namespace: "kube-system", name: "kogge-agent-config" };
export const clusterInfoName = { namespace: "kube-public", name: "cluster-info" };

export interface JoiningOptions {
  /** Where other machines reach the API. */
  readonly server: string;
  /** The cluster's authority, in PEM. */
  readonly authority: string;
  readonly agentConfig: AgentConfig;
}

/**
 * Makes what nodes need to join, as kubeadm does at `init`: the cluster's own word of where and who it is, and the rights
 * of tokens and nodes. Rights that are there stay as they are.
 */
export async function ensureJoiningObjects(client: Client, options: JoiningOptions): Promise<void> {
  await Promise.all([
    ...access.map((object) => object.ensure(client)),
    ensureData(client, clusterInfoName, { kubeconfig: anonymousKubeconfig(options) }),
    ensureData(client, agentConfigName, { config: JSON.stringify(options.agentConfig) }),
  ]);
}

/** A kubeconfig with a cluster and nobody in it, as kubeadm's. JSON is YAML too. */
function anonymousKubeconfig({ server, authority }: JoiningOptions): string {
  const data = Buffer.from(authority).toString("base64");
  const cluster = { "certificate-authority-data": data, server };
  return JSON.stringify({
    apiVersion: "v1",
    kind: "Config",
    clusters: [{ name: "", cluster }],
    contexts: null,
    "current-context": "",
    preferences: {},
    users: null,
  });
}

async function ensureData(
  client: Client,
  at: ObjectName & { readonly namespace: string },
  data: Readonly<Record<string, string>>,
): Promise<void> {
  const wanted: ConfigMap = { apiVersion: "v1", kind: "ConfigMap", metadata: at, data };
  try {
    const known = await client.get(configMaps, at);
    const same = Object.entries(data).every(([name, value]) => known.data?.[name] === value);
    if (!same) await client.patch(configMaps, at, { kind: "merge", value: { data } });
  } catch (error) {
    if (!isNotFound(error)) throw error;
    await client.create(configMaps, wanted);
  }
}

const apiGroup = "rbac.authorization.k8s.io";
const apiVersion = `${apiGroup}/v1`;

const group = (name: string): Subject => ({ apiGroup, kind: "Group", name });
const nodesGroup = group("system:nodes");
/** Kogge's own tokens, and those of `kubeadm token create`. */
const joining = [group(agentTokenGroup), group("system:bootstrappers:kubeadm:default-node-token")];

interface Ensured {
  ensure(client: Client): Promise<void>;
}

const access: readonly Ensured[] = [
  clusterBinding("kogge:node-bootstrapper", "system:node-bootstrapper", joining),
  clusterBinding(
    "kogge:node-autoapprove-bootstrap",
    "system:certificates.k8s.io:certificatesigningrequests:nodeclient",
    joining,
  ),
  clusterBinding(
    "kogge:node-autoapprove-certificate-rotation",
    "system:certificates.k8s.io:certificatesigningrequests:selfnodeclient",
    [nodesGroup],
  ),
  // Upstream's role leaves these to an administrator; why that is not needed here stands with `servesAsItself`.
  clusterRole("kogge:kubelet-serving-approver", [
    {
      apiGroups: ["certificates.k8s.io"],
      resources: ["signers"],
      resourceNames: ["kubernetes.io/kubelet-serving"],
      verbs: ["approve"],
    },
  ]),
  clusterBinding("kogge:kubelet-serving-approver", "kogge:kubelet-serving-approver", [
    { kind: "ServiceAccount", name: "certificate-controller", namespace: "kube-system" },
  ]),
  // Whoever joins sees first whether its name is taken.
  clusterRole("kogge:get-nodes", [{ apiGroups: [""], resources: ["nodes"], verbs: ["get"] }]),
  clusterBinding("kogge:get-nodes", "kogge:get-nodes", joining),
  // What the network of a node follows; upstream's kube-proxy and CoreDNS have their own identities for this.
  clusterRole("kogge:node-network", [
    {
      apiGroups: [""],
      resources: ["namespaces", "nodes", "services"],
      verbs: ["get", "list", "watch"],
    },
    {
      apiGroups: ["discovery.k8s.io"],
      resources: ["endpointslices"],
      verbs: ["get", "list", "watch"],
    },
  ]),
  clusterBinding("kogge:node-network", "kogge:node-network", [nodesGroup]),
  ...readable(clusterInfoName, "kogge:bootstrap-signer-clusterinfo", [
    { apiGroup, kind: "User", name: "system:anonymous" },
  ]),
  ...readable(agentConfigName, "kogge:agent-config", [...joining, nodesGroup]),
];

function clusterRole(name: string, rules: readonly PolicyRule[]): Ensured {
  const object: ClusterRole = { apiVersion, kind: "ClusterRole", metadata: { name }, rules };
  return ensured(clusterRoles, object);
}

function clusterBinding(name: string, role: string, subjects: readonly Subject[]): Ensured {
  const object: ClusterRoleBinding = {
    apiVersion,
    kind: "ClusterRoleBinding",
    metadata: { name },
    roleRef: { apiGroup, kind: "ClusterRole", name: role },
    subjects,
  };
  return ensured(clusterRoleBindings, object);
}

/** A role to read one ConfigMap, and who has it. */
function readable(
  map: { readonly namespace: string; readonly name: string },
  name: string,
  subjects: readonly Subject[],
): readonly Ensured[] {
  const metadata = { name, namespace: map.namespace };
  const rules = [
    { apiGroups: [""], resources: ["configmaps"], resourceNames: [map.name], verbs: ["get"] },
  ];
  const role: Role = { apiVersion, kind: "Role", metadata, rules };
  const binding: RoleBinding = {
    apiVersion,
    kind: "RoleBinding",
    metadata,
    roleRef: { apiGroup, kind: "Role", name },
    subjects,
  };
  return [ensured(roles, role), ensured(roleBindings, binding)];
}

function ensured<T extends KubeObject>(resource: Resource<T>, object: T): Ensured {
  const { name = "", namespace } = object.metadata;
  return {
    async ensure(client) {
      try {
        await client.get(resource, { name, ...(namespace !== undefined && { namespace }) });
      } catch (error) {
        if (!isNotFound(error)) throw error;
        await client.create(resource, object).catch((refusal: unknown) => {
          if (!isAlreadyExists(refusal)) throw refusal;
        });
      }
    },
  };
}
