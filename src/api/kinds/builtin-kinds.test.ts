import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { builtinKinds } from "#api/kinds/builtin-kinds.ts";
import { autoscalerConversion } from "#api/kinds/conversions/autoscalers.ts";
import { eventConversion } from "#api/kinds/conversions/events.ts";
import { apiVersionOf } from "#api/resource.ts";

test("builtinKinds() lists what kubectl api-resources lists for Kubernetes 1.36", () => {
  const rows = builtinKinds()
    .filter((kind) => apiVersionOf(kind) !== "autoscaling/v1")
    .map((kind) =>
      [
        kind.resource,
        kind.shortNames.join(",") || "-",
        apiVersionOf(kind),
        kind.namespaced,
        kind.kind,
      ].join(" "),
    );
  deepEqual(rows, golden.trim().split("\n"));
});

test("builtinKinds() serves the subresources of pods", () => {
  const pods = builtinKinds().find((kind) => kind.resource === "pods");
  deepEqual(
    pods?.subresources.map((part) => `${part.name} ${part.kind} ${part.verbs.join(",")}`),
    [
      "attach PodAttachOptions create,get",
      "binding Binding create",
      "ephemeralcontainers Pod get,patch,update",
      "eviction Eviction create",
      "exec PodExecOptions create,get",
      "log Pod get",
      "portforward PodPortForwardOptions create,get",
      "proxy PodProxyOptions create,delete,get,patch,update",
      "resize Pod get,patch,update",
      "status Pod get,patch,update",
    ],
  );
});

test("builtinKinds() keeps events of both groups, and autoscalers of both versions, together", () => {
  const shared = builtinKinds().filter((kind) => kind.stored.convert !== undefined);
  deepEqual(
    shared.map((kind) => [apiVersionOf(kind), apiVersionOf(kind.stored), kind.stored.resource]),
    [
      ["events.k8s.io/v1", "v1", "events"],
      ["autoscaling/v1", "autoscaling/v2", "horizontalpodautoscalers"],
    ],
  );
});

test("eventConversion changes names both ways without loss", () => {
  const stored: JsonObject = {
    apiVersion: "v1",
    kind: "Event",
    metadata: { name: "a" },
    involvedObject: { kind: "Pod", name: "web" },
    message: "Pulled",
    source: { component: "kubelet" },
    count: 2,
    firstTimestamp: "2026-01-01T00:00:00Z",
    reportingComponent: "kubelet",
    reason: "Pulled",
  };
  const shown = eventConversion.fromStored(stored);
  deepEqual(shown, {
    apiVersion: "events.k8s.io/v1",
    kind: "Event",
    metadata: { name: "a" },
    regarding: { kind: "Pod", name: "web" },
    note: "Pulled",
    deprecatedSource: { component: "kubelet" },
    deprecatedCount: 2,
    deprecatedFirstTimestamp: "2026-01-01T00:00:00Z",
    reportingController: "kubelet",
    reason: "Pulled",
  });
  deepEqual(eventConversion.toStored(shown), stored);
});

test("autoscalerConversion carries what version 1 lacks in annotations", () => {
  const stored: JsonObject = {
    apiVersion: "autoscaling/v2",
    kind: "HorizontalPodAutoscaler",
    metadata: { name: "web", annotations: { mine: "1" } },
    spec: {
      maxReplicas: 5,
      scaleTargetRef: { kind: "Deployment", name: "web" },
      metrics: [
        {
          type: "Pods",
          pods: {
            metric: { name: "requests", selector: { matchLabels: { a: "b" } } },
            target: { type: "AverageValue", averageValue: "10" },
          },
        },
        {
          type: "External",
          external: { metric: { name: "queue" }, target: { type: "Value", value: "3" } },
        },
        {
          type: "Object",
          object: {
            describedObject: { kind: "Ingress", name: "front" },
            metric: { name: "hits" },
            target: { type: "AverageValue", averageValue: "7" },
          },
        },
        {
          type: "Resource",
          resource: { name: "cpu", target: { type: "Utilization", averageUtilization: 80 } },
        },
      ],
      behavior: { scaleDown: { stabilizationWindowSeconds: 60 } },
    },
    status: {
      desiredReplicas: 2,
      currentMetrics: [
        { type: "Resource", resource: { name: "cpu", current: { averageUtilization: 40 } } },
      ],
      conditions: [{ type: "AbleToScale", status: "True" }],
    },
  };
  const shown = autoscalerConversion.fromStored(stored) as {
    metadata: { annotations: Record<string, string> };
    spec: JsonObject;
    status: JsonObject;
  };
  deepEqual(shown.spec, {
    maxReplicas: 5,
    scaleTargetRef: { kind: "Deployment", name: "web" },
    targetCPUUtilizationPercentage: 80,
  });
  deepEqual(shown.status, { desiredReplicas: 2, currentCPUUtilizationPercentage: 40 });
  equal(
    shown.metadata.annotations["autoscaling.alpha.kubernetes.io/metrics"],
    '[{"type":"Pods","pods":{"metricName":"requests","selector":{"matchLabels":{"a":"b"}},"targetAverageValue":"10"}},' +
      '{"type":"External","external":{"metricName":"queue","targetValue":"3"}},' +
      '{"type":"Object","object":{"target":{"kind":"Ingress","name":"front"},"metricName":"hits","averageValue":"7"}}]',
  );
  deepEqual(autoscalerConversion.toStored(shown as unknown as JsonObject), stored);
});

const golden = `
bindings - v1 true Binding
componentstatuses cs v1 false ComponentStatus
configmaps cm v1 true ConfigMap
endpoints ep v1 true Endpoints
events ev v1 true Event
limitranges limits v1 true LimitRange
namespaces ns v1 false Namespace
nodes no v1 false Node
persistentvolumeclaims pvc v1 true PersistentVolumeClaim
persistentvolumes pv v1 false PersistentVolume
pods po v1 true Pod
podtemplates - v1 true PodTemplate
replicationcontrollers rc v1 true ReplicationController
resourcequotas quota v1 true ResourceQuota
secrets - v1 true Secret
serviceaccounts sa v1 true ServiceAccount
services svc v1 true Service
apiservices - apiregistration.k8s.io/v1 false APIService
controllerrevisions - apps/v1 true ControllerRevision
daemonsets ds apps/v1 true DaemonSet
deployments deploy apps/v1 true Deployment
replicasets rs apps/v1 true ReplicaSet
statefulsets sts apps/v1 true StatefulSet
events ev events.k8s.io/v1 true Event
selfsubjectreviews - authentication.k8s.io/v1 false SelfSubjectReview
tokenreviews - authentication.k8s.io/v1 false TokenReview
localsubjectaccessreviews - authorization.k8s.io/v1 true LocalSubjectAccessReview
selfsubjectaccessreviews - authorization.k8s.io/v1 false SelfSubjectAccessReview
selfsubjectrulesreviews - authorization.k8s.io/v1 false SelfSubjectRulesReview
subjectaccessreviews - authorization.k8s.io/v1 false SubjectAccessReview
horizontalpodautoscalers hpa autoscaling/v2 true HorizontalPodAutoscaler
cronjobs cj batch/v1 true CronJob
jobs - batch/v1 true Job
certificatesigningrequests csr certificates.k8s.io/v1 false CertificateSigningRequest
ingressclasses - networking.k8s.io/v1 false IngressClass
ingresses ing networking.k8s.io/v1 true Ingress
ipaddresses ip networking.k8s.io/v1 false IPAddress
networkpolicies netpol networking.k8s.io/v1 true NetworkPolicy
servicecidrs - networking.k8s.io/v1 false ServiceCIDR
poddisruptionbudgets pdb policy/v1 true PodDisruptionBudget
clusterrolebindings - rbac.authorization.k8s.io/v1 false ClusterRoleBinding
clusterroles - rbac.authorization.k8s.io/v1 false ClusterRole
rolebindings - rbac.authorization.k8s.io/v1 true RoleBinding
roles - rbac.authorization.k8s.io/v1 true Role
csidrivers - storage.k8s.io/v1 false CSIDriver
csinodes - storage.k8s.io/v1 false CSINode
csistoragecapacities - storage.k8s.io/v1 true CSIStorageCapacity
storageclasses sc storage.k8s.io/v1 false StorageClass
volumeattachments - storage.k8s.io/v1 false VolumeAttachment
volumeattributesclasses vac storage.k8s.io/v1 false VolumeAttributesClass
mutatingadmissionpolicies - admissionregistration.k8s.io/v1 false MutatingAdmissionPolicy
mutatingadmissionpolicybindings - admissionregistration.k8s.io/v1 false MutatingAdmissionPolicyBinding
mutatingwebhookconfigurations - admissionregistration.k8s.io/v1 false MutatingWebhookConfiguration
validatingadmissionpolicies - admissionregistration.k8s.io/v1 false ValidatingAdmissionPolicy
validatingadmissionpolicybindings - admissionregistration.k8s.io/v1 false ValidatingAdmissionPolicyBinding
validatingwebhookconfigurations - admissionregistration.k8s.io/v1 false ValidatingWebhookConfiguration
customresourcedefinitions crd,crds apiextensions.k8s.io/v1 false CustomResourceDefinition
priorityclasses pc scheduling.k8s.io/v1 false PriorityClass
leases - coordination.k8s.io/v1 true Lease
runtimeclasses - node.k8s.io/v1 false RuntimeClass
endpointslices - discovery.k8s.io/v1 true EndpointSlice
flowschemas - flowcontrol.apiserver.k8s.io/v1 false FlowSchema
prioritylevelconfigurations - flowcontrol.apiserver.k8s.io/v1 false PriorityLevelConfiguration
deviceclasses - resource.k8s.io/v1 false DeviceClass
resourceclaims - resource.k8s.io/v1 true ResourceClaim
resourceclaimtemplates - resource.k8s.io/v1 true ResourceClaimTemplate
resourceslices - resource.k8s.io/v1 false ResourceSlice
`;
