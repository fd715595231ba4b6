import type { Verb } from "#api/kind.ts";

/** What discovery, paths and OpenAPI need to know of a built-in kind: data without behaviour. */
export interface KindFacts {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly resource: string;
  readonly namespaced: boolean;
  readonly singular: string;
  readonly shortNames: readonly string[];
  readonly categories: readonly string[];
  readonly verbs: readonly Verb[];
  /** The OpenAPI definition: `io.k8s.api.apps.v1.Deployment`. */
  readonly definition: string;
  readonly subresources: readonly SubresourceFacts[];
}

export interface SubresourceFacts {
  readonly name: string;
  readonly verbs: readonly Verb[];
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  readonly definition: string;
  /** Connections (`exec`, `proxy`): every HTTP method that stands for the action is "connect". */
  readonly connects?: boolean;
}

/** Every kind of the GA API of Kubernetes 1.36, group by group in upstream's order of preference. */
export function builtinKindFacts(): readonly KindFacts[] {
  const kinds: KindFacts[] = [];
  let group: Group = { group: "", version: "", package: "" };
  for (const line of table.split("\n")) {
    if (line.startsWith("  ")) kinds.push(factsOf(group, line.trim()));
    else if (line !== "") group = groupOf(line);
  }
  return kinds;
}

interface Group {
  readonly group: string;
  readonly version: string;
  readonly package: string;
}

const allVerbs: readonly Verb[] = [
  "create",
  "delete",
  "deletecollection",
  "get",
  "list",
  "patch",
  "update",
  "watch",
];
const create: readonly Verb[] = ["create"];
const change: readonly Verb[] = ["get", "patch", "update"];
const streamVerbs: readonly Verb[] = ["create", "get"];
const proxyVerbs: readonly Verb[] = ["create", "delete", "get", "patch", "update"];

/** A line a group version with its package, below it a line a kind; `with` names the subresources. */
const table = `v1 io.k8s.api.core.v1
  Binding bindings namespaced verbs=create
  ComponentStatus componentstatuses cluster short=cs verbs=get,list
  ConfigMap configmaps namespaced short=cm
  Endpoints endpoints namespaced short=ep
  Event events namespaced short=ev
  LimitRange limitranges namespaced short=limits
  Namespace namespaces cluster short=ns verbs=create,delete,get,list,patch,update,watch with=finalize,status
  Node nodes cluster short=no with=proxy,status
  PersistentVolumeClaim persistentvolumeclaims namespaced short=pvc with=status
  PersistentVolume persistentvolumes cluster short=pv with=status
  Pod pods namespaced short=po category=all with=attach,binding,ephemeralcontainers,eviction,exec,log,portforward,proxy,resize,status
  PodTemplate podtemplates namespaced
  ReplicationController replicationcontrollers namespaced short=rc category=all with=scale,status
  ResourceQuota resourcequotas namespaced short=quota with=status
  Secret secrets namespaced
  ServiceAccount serviceaccounts namespaced short=sa with=token
  Service services namespaced short=svc category=all with=proxy,status

apiregistration.k8s.io/v1 io.k8s.kube-aggregator.pkg.apis.apiregistration.v1
  APIService apiservices cluster category=api-extensions with=status

apps/v1 io.k8s.api.apps.v1
  ControllerRevision controllerrevisions namespaced
  DaemonSet daemonsets namespaced short=ds category=all with=status
  Deployment deployments namespaced short=deploy category=all with=scale,status
  ReplicaSet replicasets namespaced short=rs category=all with=scale,status
  StatefulSet statefulsets namespaced short=sts category=all with=scale,status

events.k8s.io/v1 io.k8s.api.events.v1
  Event events namespaced short=ev

authentication.k8s.io/v1 io.k8s.api.authentication.v1
  SelfSubjectReview selfsubjectreviews cluster verbs=create
  TokenReview tokenreviews cluster verbs=create

authorization.k8s.io/v1 io.k8s.api.authorization.v1
  LocalSubjectAccessReview localsubjectaccessreviews namespaced verbs=create
  SelfSubjectAccessReview selfsubjectaccessreviews cluster verbs=create
  SelfSubjectRulesReview selfsubjectrulesreviews cluster verbs=create
  SubjectAccessReview subjectaccessreviews cluster verbs=create

autoscaling/v2 io.k8s.api.autoscaling.v2
  HorizontalPodAutoscaler horizontalpodautoscalers namespaced short=hpa category=all with=status

autoscaling/v1 io.k8s.api.autoscaling.v1
  HorizontalPodAutoscaler horizontalpodautoscalers namespaced short=hpa category=all with=status

batch/v1 io.k8s.api.batch.v1
  CronJob cronjobs namespaced short=cj category=all with=status
  Job jobs namespaced category=all with=status

certificates.k8s.io/v1 io.k8s.api.certificates.v1
  CertificateSigningRequest certificatesigningrequests cluster short=csr with=approval,status

networking.k8s.io/v1 io.k8s.api.networking.v1
  IngressClass ingressclasses cluster
  Ingress ingresses namespaced short=ing with=status
  IPAddress ipaddresses cluster short=ip
  NetworkPolicy networkpolicies namespaced short=netpol
  ServiceCIDR servicecidrs cluster with=status

policy/v1 io.k8s.api.policy.v1
  PodDisruptionBudget poddisruptionbudgets namespaced short=pdb with=status

rbac.authorization.k8s.io/v1 io.k8s.api.rbac.v1
  ClusterRoleBinding clusterrolebindings cluster
  ClusterRole clusterroles cluster
  RoleBinding rolebindings namespaced
  Role roles namespaced

storage.k8s.io/v1 io.k8s.api.storage.v1
  CSIDriver csidrivers cluster
  CSINode csinodes cluster
  CSIStorageCapacity csistoragecapacities namespaced
  StorageClass storageclasses cluster short=sc
  VolumeAttachment volumeattachments cluster with=status
  VolumeAttributesClass volumeattributesclasses cluster short=vac

admissionregistration.k8s.io/v1 io.k8s.api.admissionregistration.v1
  MutatingAdmissionPolicy mutatingadmissionpolicies cluster category=api-extensions
  MutatingAdmissionPolicyBinding mutatingadmissionpolicybindings cluster category=api-extensions
  MutatingWebhookConfiguration mutatingwebhookconfigurations cluster category=api-extensions
  ValidatingAdmissionPolicy validatingadmissionpolicies cluster category=api-extensions with=status
  ValidatingAdmissionPolicyBinding validatingadmissionpolicybindings cluster category=api-extensions
  ValidatingWebhookConfiguration validatingwebhookconfigurations cluster category=api-extensions

apiextensions.k8s.io/v1 io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1
  CustomResourceDefinition customresourcedefinitions cluster short=crd,crds category=api-extensions with=status

scheduling.k8s.io/v1 io.k8s.api.scheduling.v1
  PriorityClass priorityclasses cluster short=pc

coordination.k8s.io/v1 io.k8s.api.coordination.v1
  Lease leases namespaced

node.k8s.io/v1 io.k8s.api.node.v1
  RuntimeClass runtimeclasses cluster

discovery.k8s.io/v1 io.k8s.api.discovery.v1
  EndpointSlice endpointslices namespaced

flowcontrol.apiserver.k8s.io/v1 io.k8s.api.flowcontrol.v1
  FlowSchema flowschemas cluster with=status
  PriorityLevelConfiguration prioritylevelconfigurations cluster with=status

resource.k8s.io/v1 io.k8s.api.resource.v1
  DeviceClass deviceclasses cluster
  ResourceClaim resourceclaims namespaced with=status
  ResourceClaimTemplate resourceclaimtemplates namespaced
  ResourceSlice resourceslices cluster
`;

function groupOf(line: string): Group {
  const [apiVersion = "", packageName = ""] = line.split(" ");
  const slash = apiVersion.indexOf("/");
  return {
    group: slash < 0 ? "" : apiVersion.slice(0, slash),
    version: apiVersion.slice(slash + 1),
    package: packageName,
  };
}

function factsOf(group: Group, line: string): KindFacts {
  const [kind = "", resource = "", scope = "", ...marks] = line.split(" ");
  const marked = Object.fromEntries(marks.map((mark) => mark.split("=")));
  const listOf = (mark: string): readonly string[] => marked[mark]?.split(",") ?? [];
  const facts = {
    group: group.group,
    version: group.version,
    kind,
    resource,
    namespaced: scope === "namespaced",
    singular: kind.toLowerCase(),
    shortNames: listOf("short"),
    categories: listOf("category"),
    verbs: marked["verbs"] === undefined ? allVerbs : (listOf("verbs") as readonly Verb[]),
    definition: `${group.package}.${kind}`,
  };
  return { ...facts, subresources: listOf("with").map((name) => subresourceOf(facts, name)) };
}

function subresourceOf(parent: Omit<KindFacts, "subresources">, name: string): SubresourceFacts {
  const own = { name, group: parent.group, version: parent.version };
  switch (name) {
    case "finalize":
      return { ...own, kind: parent.kind, definition: parent.definition, verbs: ["update"] };
    case "log":
      return { ...own, kind: parent.kind, definition: parent.definition, verbs: ["get"] };
    case "binding":
      return { ...own, ...core("Binding"), verbs: create };
    case "attach":
    case "exec":
    case "portforward":
      return { ...own, ...core(streamOptions[name]), verbs: streamVerbs, connects: true };
    case "proxy":
      return { ...own, ...core(`${parent.kind}ProxyOptions`), verbs: proxyVerbs, connects: true };
    case "eviction":
      return { name, ...eviction, verbs: create };
    case "scale":
      return { name, ...scale, verbs: change };
    case "token":
      return { name, ...tokenRequest, verbs: create };
    default:
      return { ...own, kind: parent.kind, definition: parent.definition, verbs: change };
  }
}

const streamOptions = {
  attach: "PodAttachOptions",
  exec: "PodExecOptions",
  portforward: "PodPortForwardOptions",
} as const;

const eviction = {
  group: "policy",
  version: "v1",
  kind: "Eviction",
  definition: "io.k8s.api.policy.v1.Eviction",
};
const scale = {
  group: "autoscaling",
  version: "v1",
  kind: "Scale",
  definition: "io.k8s.api.autoscaling.v1.Scale",
};
const tokenRequest = {
  group: "authentication.k8s.io",
  version: "v1",
  kind: "TokenRequest",
  definition: "io.k8s.api.authentication.v1.TokenRequest",
};

function core(kind: string): { readonly kind: string; readonly definition: string } {
  return { kind, definition: `io.k8s.api.core.v1.${kind}` };
}
