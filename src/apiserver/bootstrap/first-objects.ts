import type { JsonObject } from "#api/kind.ts";
import { formatIpv4, parseIpv4Range } from "#apiserver/allocation/ipv4-range.ts";
import type { ApiServerParts } from "#apiserver/parts.ts";

/** An object that the server makes itself, and where it belongs. */
export interface FirstObject {
  readonly group: string;
  readonly version: string;
  readonly resource: string;
  readonly object: JsonObject;
}

/** In the order in which they must be made. */
export function firstObjects(parts: ApiServerParts): readonly FirstObject[] {
  return [
    ...["default", "kube-system", "kube-public", "kube-node-lease"].map(namespace),
    priorityClass(
      "system-node-critical",
      2_000_001_000,
      "Used for system critical pods that must not be moved from their current node.",
    ),
    priorityClass(
      "system-cluster-critical",
      2_000_000_000,
      "Used for system critical pods that must run in the cluster, but can be moved to another node if necessary.",
    ),
    serviceCidr(parts),
    apiServerService(parts),
    ...(parts.nodeSummary ? [metricsReader] : []),
  ];
}

/** As metrics-server brings it: whoever may view a namespace may see what its pods use. */
const metricsReader: FirstObject = {
  group: "rbac.authorization.k8s.io",
  version: "v1",
  resource: "clusterroles",
  object: {
    apiVersion: "rbac.authorization.k8s.io/v1",
    kind: "ClusterRole",
    metadata: {
      name: "system:aggregated-metrics-reader",
      labels: {
        "rbac.authorization.k8s.io/aggregate-to-admin": "true",
        "rbac.authorization.k8s.io/aggregate-to-edit": "true",
        "rbac.authorization.k8s.io/aggregate-to-view": "true",
      },
    },
    rules: [
      {
        apiGroups: ["metrics.k8s.io"],
        resources: ["pods", "nodes"],
        verbs: ["get", "list", "watch"],
      },
    ],
  },
};

/** The range that services' addresses come from as long as there is no other. */
function serviceCidr({ serviceNetwork }: ApiServerParts): FirstObject {
  return {
    group: "networking.k8s.io",
    version: "v1",
    resource: "servicecidrs",
    object: {
      apiVersion: "networking.k8s.io/v1",
      kind: "ServiceCIDR",
      metadata: { name: "kubernetes" },
      spec: { cidrs: [serviceNetwork.serviceCidr] },
    },
  };
}

function namespace(name: string): FirstObject {
  const object = { apiVersion: "v1", kind: "Namespace", metadata: { name } };
  return { group: "", version: "v1", resource: "namespaces", object };
}

function priorityClass(name: string, value: number, description: string): FirstObject {
  return {
    group: "scheduling.k8s.io",
    version: "v1",
    resource: "priorityclasses",
    object: {
      apiVersion: "scheduling.k8s.io/v1",
      kind: "PriorityClass",
      metadata: { name },
      value,
      description,
    },
  };
}

/** `default/kubernetes`: how pods find the API server. Its endpoints are kept by the server, not by a selector. */
function apiServerService({ serviceNetwork }: ApiServerParts): FirstObject {
  const range = parseIpv4Range(serviceNetwork.serviceCidr);
  const address = formatIpv4(range.base + 1);
  const targetPort = serviceNetwork.apiServerAddress?.port ?? 443;
  return {
    group: "",
    version: "v1",
    resource: "services",
    object: {
      apiVersion: "v1",
      kind: "Service",
      metadata: {
        name: "kubernetes",
        namespace: "default",
        labels: { component: "apiserver", provider: "kubernetes" },
      },
      spec: {
        type: "ClusterIP",
        clusterIP: address,
        clusterIPs: [address],
        ipFamilies: ["IPv4"],
        ipFamilyPolicy: "SingleStack",
        sessionAffinity: "None",
        ports: [{ name: "https", port: 443, protocol: "TCP", targetPort }],
      },
    },
  };
}
