import type { JsonObject } from "#api/kind.ts";

/** A smallest valid object of a kind, and what the walk through its operations writes. */
export interface Sample {
  readonly apiVersion: string;
  readonly resource: string;
  readonly kind: string;
  /** Everything but metadata. */
  readonly content: JsonObject;
  readonly clusterScoped?: boolean;
  /** Written through the status subresource. */
  readonly status?: JsonObject;
  /** Names that not every rule allows. */
  readonly nameOf?: (base: string) => string;
}

const container = { name: "c", image: "registry.example/web:1" };
const labels = { app: "x" };
const template = { metadata: { labels }, spec: { containers: [container] } };
const selector = { matchLabels: labels };
const jobTemplate = {
  spec: { containers: [container], restartPolicy: "Never" },
};
const condition = {
  type: "StatusPatched",
  status: "True",
  reason: "E2E",
  message: "set by a test",
  lastTransitionTime: "2026-01-01T00:00:00Z",
};
const rule = {
  apiGroups: ["apps"],
  apiVersions: ["v1"],
  operations: ["CREATE"],
  resources: ["deployments"],
};
const webhook = {
  name: "check.example.com",
  clientConfig: { url: "https://127.0.0.1:1/check" },
  rules: [rule],
  sideEffects: "None",
  admissionReviewVersions: ["v1"],
};
const claimSpec = {
  accessModes: ["ReadWriteOnce"],
  storageClassName: "none",
  resources: { requests: { storage: "1Gi" } },
};
const deviceRequests = {
  devices: { requests: [{ name: "one", exactly: { deviceClassName: "gpu" } }] },
};

export const samples: readonly Sample[] = [
  {
    ...named("v1", "configmaps", "ConfigMap"),
    content: { data: { a: "1" }, binaryData: { b: "AAE=" } },
  },
  { ...named("v1", "secrets", "Secret"), content: { data: { a: "MQ==" } } },
  { ...named("v1", "serviceaccounts", "ServiceAccount"), content: {} },
  { ...named("v1", "podtemplates", "PodTemplate"), content: { template } },
  {
    ...named("v1", "limitranges", "LimitRange"),
    content: { spec: { limits: [{ type: "Pod", max: { cpu: "2" } }] } },
  },
  {
    ...named("v1", "resourcequotas", "ResourceQuota"),
    content: { spec: { hard: { "count/leases.coordination.k8s.io": "100" } } },
    status: { hard: { pods: "5" } },
  },
  {
    ...named("v1", "replicationcontrollers", "ReplicationController"),
    content: { spec: { replicas: 0, selector: labels, template } },
    status: { replicas: 0, conditions: [condition] },
  },
  {
    ...named("v1", "services", "Service"),
    content: { spec: { selector: labels, ports: [{ port: 80 }] } },
    status: { loadBalancer: { ingress: [{ ip: "203.0.113.1" }] } },
  },
  {
    ...named("v1", "endpoints", "Endpoints"),
    content: { subsets: [{ addresses: [{ ip: "10.0.0.24" }], ports: [{ port: 80 }] }] },
  },
  {
    ...named("v1", "events", "Event"),
    content: {
      involvedObject: { kind: "Pod", namespace: "default", name: "x" },
      reason: "Test",
      message: "a test",
      type: "Normal",
      source: { component: "test" },
    },
  },
  {
    ...named("events.k8s.io/v1", "events", "Event"),
    content: {
      eventTime: "2026-01-01T00:00:00.000001Z",
      reportingController: "example.com/test",
      reportingInstance: "test-1",
      action: "Do",
      reason: "Test",
      type: "Normal",
      regarding: { kind: "Pod", namespace: "default", name: "x" },
      note: "a test",
    },
  },
  {
    ...named("v1", "persistentvolumeclaims", "PersistentVolumeClaim"),
    content: { spec: claimSpec },
    status: { phase: "Pending", conditions: [condition] },
  },
  {
    ...cluster("v1", "persistentvolumes", "PersistentVolume"),
    content: {
      spec: {
        capacity: { storage: "1Gi" },
        accessModes: ["ReadWriteOnce"],
        hostPath: { path: "/tmp/x" },
      },
    },
    status: { phase: "Available", message: "StatusPatched", reason: "E2E" },
  },
  {
    ...cluster("v1", "nodes", "Node"),
    content: { spec: { unschedulable: true } },
    status: { conditions: [condition] },
  },
  {
    ...cluster("v1", "namespaces", "Namespace"),
    content: {},
    status: { conditions: [condition] },
  },
  {
    ...named("v1", "pods", "Pod"),
    content: { spec: { containers: [container], terminationGracePeriodSeconds: 0 } },
    status: { conditions: [condition] },
  },
  {
    ...named("apps/v1", "deployments", "Deployment"),
    content: { spec: { replicas: 0, selector, template } },
    status: { conditions: [condition] },
  },
  {
    ...named("apps/v1", "replicasets", "ReplicaSet"),
    content: { spec: { replicas: 0, selector, template } },
    status: { replicas: 0, conditions: [condition] },
  },
  {
    ...named("apps/v1", "statefulsets", "StatefulSet"),
    content: { spec: { replicas: 0, selector, template, serviceName: "x" } },
    status: { replicas: 0, conditions: [condition] },
  },
  {
    ...named("apps/v1", "daemonsets", "DaemonSet"),
    content: { spec: { selector, template } },
    status: {
      currentNumberScheduled: 0,
      desiredNumberScheduled: 0,
      numberMisscheduled: 0,
      numberReady: 0,
      conditions: [condition],
    },
  },
  {
    ...named("apps/v1", "controllerrevisions", "ControllerRevision"),
    content: { data: { spec: { a: 1 } }, revision: 1 },
  },
  {
    ...named("batch/v1", "jobs", "Job"),
    content: { spec: { suspend: true, template: jobTemplate } },
    status: {
      conditions: [{ ...condition, lastProbeTime: "2026-01-01T00:00:00Z" }],
    },
  },
  {
    ...named("batch/v1", "cronjobs", "CronJob"),
    content: {
      spec: { schedule: "* * */1 * *", jobTemplate: { spec: { template: jobTemplate } } },
    },
    status: { lastScheduleTime: "2026-01-01T00:00:00Z" },
  },
  {
    ...named("autoscaling/v2", "horizontalpodautoscalers", "HorizontalPodAutoscaler"),
    content: {
      spec: {
        scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "x" },
        maxReplicas: 3,
      },
    },
    status: { desiredReplicas: 1, currentReplicas: 1, currentMetrics: null },
  },
  {
    ...named("autoscaling/v1", "horizontalpodautoscalers", "HorizontalPodAutoscaler"),
    content: {
      spec: {
        scaleTargetRef: { apiVersion: "apps/v1", kind: "Deployment", name: "x" },
        maxReplicas: 3,
        targetCPUUtilizationPercentage: 50,
      },
    },
    status: { desiredReplicas: 1, currentReplicas: 1 },
  },
  {
    ...named("policy/v1", "poddisruptionbudgets", "PodDisruptionBudget"),
    content: { spec: { minAvailable: 1, selector } },
    status: {
      disruptionsAllowed: 1,
      currentHealthy: 1,
      desiredHealthy: 1,
      expectedPods: 1,
      disruptedPods: { x: "2026-01-01T00:00:00Z" },
    },
  },
  {
    ...named("networking.k8s.io/v1", "ingresses", "Ingress"),
    content: { spec: { defaultBackend: { service: { name: "x", port: { number: 80 } } } } },
    status: { loadBalancer: { ingress: [{ ip: "169.1.1.1" }] } },
  },
  {
    ...cluster("networking.k8s.io/v1", "ingressclasses", "IngressClass"),
    content: { spec: { controller: "example.com/controller" } },
  },
  {
    ...named("networking.k8s.io/v1", "networkpolicies", "NetworkPolicy"),
    content: { spec: { podSelector: {}, policyTypes: ["Ingress"] } },
  },
  {
    ...cluster("networking.k8s.io/v1", "ipaddresses", "IPAddress"),
    content: { spec: { parentRef: { resource: "services", name: "x", namespace: "default" } } },
    nameOf: (base) => `192.168.5.${base.length}`,
  },
  {
    ...cluster("networking.k8s.io/v1", "servicecidrs", "ServiceCIDR"),
    content: { spec: { cidrs: ["10.2.0.0/16"] } },
    status: { conditions: [condition] },
  },
  {
    ...named("discovery.k8s.io/v1", "endpointslices", "EndpointSlice"),
    content: { addressType: "IPv4", endpoints: [{ addresses: ["1.2.3.4"] }] },
  },
  {
    ...named("coordination.k8s.io/v1", "leases", "Lease"),
    content: { spec: { holderIdentity: "x", leaseDurationSeconds: 30 } },
  },
  {
    ...named("rbac.authorization.k8s.io/v1", "roles", "Role"),
    content: { rules: [{ apiGroups: [""], resources: ["pods"], verbs: ["get"] }] },
  },
  {
    ...named("rbac.authorization.k8s.io/v1", "rolebindings", "RoleBinding"),
    content: {
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "Role", name: "x" },
      subjects: [{ kind: "User", name: "jane", apiGroup: "rbac.authorization.k8s.io" }],
    },
  },
  {
    ...cluster("rbac.authorization.k8s.io/v1", "clusterroles", "ClusterRole"),
    content: { rules: [{ nonResourceURLs: ["/x"], verbs: ["get"] }] },
  },
  {
    ...cluster("rbac.authorization.k8s.io/v1", "clusterrolebindings", "ClusterRoleBinding"),
    content: {
      roleRef: { apiGroup: "rbac.authorization.k8s.io", kind: "ClusterRole", name: "x" },
      subjects: [{ kind: "Group", name: "g", apiGroup: "rbac.authorization.k8s.io" }],
    },
  },
  {
    ...cluster("storage.k8s.io/v1", "storageclasses", "StorageClass"),
    content: { provisioner: "example.com/disk" },
  },
  {
    ...cluster("storage.k8s.io/v1", "csidrivers", "CSIDriver"),
    content: { spec: { attachRequired: false, podInfoOnMount: true } },
  },
  {
    ...cluster("storage.k8s.io/v1", "csinodes", "CSINode"),
    content: {
      spec: { drivers: [{ name: "d.example.com", nodeID: "n", topologyKeys: ["zone"] }] },
    },
  },
  {
    ...named("storage.k8s.io/v1", "csistoragecapacities", "CSIStorageCapacity"),
    content: { storageClassName: "x", capacity: "1Gi" },
  },
  {
    ...cluster("storage.k8s.io/v1", "volumeattachments", "VolumeAttachment"),
    content: {
      spec: { attacher: "a.example.com", nodeName: "n", source: { persistentVolumeName: "x" } },
    },
    status: { attached: true },
  },
  {
    ...cluster("storage.k8s.io/v1", "volumeattributesclasses", "VolumeAttributesClass"),
    content: { driverName: "example.com/d", parameters: { iops: "10" } },
  },
  {
    ...cluster("scheduling.k8s.io/v1", "priorityclasses", "PriorityClass"),
    content: { value: 1000 },
  },
  {
    ...cluster("node.k8s.io/v1", "runtimeclasses", "RuntimeClass"),
    content: { handler: "runc" },
  },
  {
    ...cluster("certificates.k8s.io/v1", "certificatesigningrequests", "CertificateSigningRequest"),
    content: {
      spec: {
        request: certificateRequest(),
        signerName: "example.com/signer",
        usages: ["client auth"],
      },
    },
    status: { conditions: [{ type: "Failed", status: "True", reason: "E2E" }] },
  },
  {
    ...cluster("flowcontrol.apiserver.k8s.io/v1", "flowschemas", "FlowSchema"),
    content: {
      spec: {
        matchingPrecedence: 10_000,
        priorityLevelConfiguration: { name: "global-default" },
        rules: [
          {
            subjects: [{ kind: "User", user: { name: "example" } }],
            nonResourceRules: [{ verbs: ["get"], nonResourceURLs: ["*"] }],
          },
        ],
      },
    },
    status: { conditions: [{ ...condition, type: "PatchStatusFailed" }] },
  },
  {
    ...cluster(
      "flowcontrol.apiserver.k8s.io/v1",
      "prioritylevelconfigurations",
      "PriorityLevelConfiguration",
    ),
    content: {
      spec: {
        type: "Limited",
        limited: { nominalConcurrencyShares: 2, limitResponse: { type: "Reject" } },
      },
    },
    status: { conditions: [{ ...condition, type: "PatchStatusFailed" }] },
  },
  {
    ...cluster(
      "admissionregistration.k8s.io/v1",
      "validatingwebhookconfigurations",
      "ValidatingWebhookConfiguration",
    ),
    content: { webhooks: [webhook] },
  },
  {
    ...cluster(
      "admissionregistration.k8s.io/v1",
      "mutatingwebhookconfigurations",
      "MutatingWebhookConfiguration",
    ),
    content: { webhooks: [webhook] },
  },
  {
    ...cluster(
      "admissionregistration.k8s.io/v1",
      "validatingadmissionpolicies",
      "ValidatingAdmissionPolicy",
    ),
    content: {
      spec: {
        matchConstraints: { resourceRules: [rule] },
        validations: [{ expression: "object.spec.replicas <= 100" }],
      },
    },
    status: { conditions: [{ ...condition, type: "Ready" }] },
  },
  {
    ...cluster(
      "admissionregistration.k8s.io/v1",
      "validatingadmissionpolicybindings",
      "ValidatingAdmissionPolicyBinding",
    ),
    content: { spec: { policyName: "x", validationActions: ["Deny"] } },
  },
  {
    ...cluster("resource.k8s.io/v1", "deviceclasses", "DeviceClass"),
    content: { spec: { selectors: [{ cel: { expression: 'device.driver == "x"' } }] } },
  },
  {
    ...named("resource.k8s.io/v1", "resourceclaims", "ResourceClaim"),
    content: { spec: deviceRequests },
    status: {},
  },
  {
    ...named("resource.k8s.io/v1", "resourceclaimtemplates", "ResourceClaimTemplate"),
    content: { spec: { spec: deviceRequests } },
  },
  {
    ...cluster("resource.k8s.io/v1", "resourceslices", "ResourceSlice"),
    content: {
      spec: {
        driver: "d.example.com",
        pool: { name: "p", generation: 1, resourceSliceCount: 1 },
        nodeName: "n",
      },
    },
  },
];

function named(apiVersion: string, resource: string, kind: string) {
  return { apiVersion, resource, kind };
}

function cluster(apiVersion: string, resource: string, kind: string) {
  return { apiVersion, resource, kind, clusterScoped: true };
}

/** Of a sample's collection: in the namespace `default`, or of the cluster. */
export function collectionOf(sample: Sample): string {
  const root = sample.apiVersion.includes("/") ? `/apis/${sample.apiVersion}` : "/api/v1";
  return `${root}${sample.clusterScoped ? "" : "/namespaces/default"}/${sample.resource}`;
}

/** The whole object. */
export function sampleObject(sample: Sample, base: string): JsonObject {
  const { apiVersion, kind, content } = sample;
  const name = sample.nameOf?.(base) ?? base;
  return { apiVersion, kind, metadata: { name, labels: { walk: "1" } }, ...content };
}

/** A request for `CN=example` signed with a P-256 key made for this file. */
export function certificateRequest(): string {
  return [
    "LS0tLS1CRUdJTiBDRVJUSUZJQ0FURSBSRVFVRVNULS0tLS0KTUlITk1IUUNBUUF3RWpFUU1BNEdBMVVFQXd3SFpYaG",
    "hiWEJzWlRCWk1CTUdCeXFHU000OUFnRUdDQ3FHU000OQpBd0VIQTBJQUJLMG1qM1ZvZ1liRVJOYzA3MkFGUHJJQjlO",
    "U3dST3RaM0dEWEVxanFpZXdlZlNkTlpPTWE5a3JpCkthZjVybnNFNlgxTjV1NGdDaStLLzNhZ1lDbDA2U1dnQURBS0",
    "JnZ3Foa2pPUFFRREFnTkpBREJHQWlFQWt2NUsKaUp0SFg2YVE5Si9rRTdxakIxZHZBbElPOW5HSWVmZXQ4Tzc3dzZN",
    "Q0lRQ0tiOVNhalIvWGtJTlEyd0cvNW9SZgpaV1lqSjJmVC9VQVM4S2ZQT0FwR1p3PT0KLS0tLS1FTkQgQ0VSVElGSU",
    "NBVEUgUkVRVUVTVC0tLS0tCg==",
  ].join("");
}
