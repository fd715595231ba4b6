import type { Strategy } from "#api/kind.ts";
import { controllerRevisionStrategy } from "#api/strategies/apps/controller-revision.ts";
import { daemonSetStrategy } from "#api/strategies/apps/daemon-set.ts";
import { deploymentStrategy } from "#api/strategies/apps/deployment.ts";
import { replicaSetStrategy } from "#api/strategies/apps/replica-set.ts";
import { statefulSetStrategy } from "#api/strategies/apps/stateful-set.ts";
import { horizontalPodAutoscalerStrategy } from "#api/strategies/autoscaling/horizontal-pod-autoscaler.ts";
import { cronJobStrategy } from "#api/strategies/batch/cron-job.ts";
import { jobStrategy } from "#api/strategies/batch/job.ts";
import { certificateSigningRequestStrategy } from "#api/strategies/certificates/certificate-signing-request.ts";
import { leaseStrategy } from "#api/strategies/coordination/lease.ts";
import { configMapStrategy } from "#api/strategies/core/config-map.ts";
import { endpointsStrategy } from "#api/strategies/core/endpoints.ts";
import { coreEventStrategy, eventStrategy } from "#api/strategies/core/event.ts";
import { limitRangeStrategy } from "#api/strategies/core/limit-range.ts";
import { namespaceStrategy } from "#api/strategies/core/namespace.ts";
import { nodeStrategy } from "#api/strategies/core/node.ts";
import { persistentVolumeClaimStrategy } from "#api/strategies/core/persistent-volume-claim.ts";
import { persistentVolumeStrategy } from "#api/strategies/core/persistent-volume.ts";
import { podTemplateStrategy } from "#api/strategies/core/pod-template.ts";
import { podStrategy } from "#api/strategies/core/pod/pod-strategy.ts";
import { replicationControllerStrategy } from "#api/strategies/core/replication-controller.ts";
import { resourceQuotaStrategy } from "#api/strategies/core/resource-quota.ts";
import { secretStrategy } from "#api/strategies/core/secret.ts";
import { serviceAccountStrategy } from "#api/strategies/core/service-account.ts";
import { serviceStrategy } from "#api/strategies/core/service.ts";
import { endpointSliceStrategy } from "#api/strategies/discovery/endpoint-slice.ts";
import { ipAddressStrategy, serviceCidrStrategy } from "#api/strategies/networking/addresses.ts";
import {
  csiDriverStrategy,
  csiNodeStrategy,
  csiStorageCapacityStrategy,
} from "#api/strategies/storage/csi.ts";
import {
  storageClassStrategy,
  volumeAttributesClassStrategy,
} from "#api/strategies/storage/storage-class.ts";
import { volumeAttachmentStrategy } from "#api/strategies/storage/volume-attachment.ts";
import {
  validatingAdmissionPolicyBindingStrategy,
  validatingAdmissionPolicyStrategy,
} from "#api/strategies/registration/admission.ts";
import {
  mutatingWebhookStrategy,
  validatingWebhookStrategy,
} from "#api/strategies/registration/webhook-configuration.ts";
import {
  mutatingAdmissionPolicyBindingStrategy,
  mutatingAdmissionPolicyStrategy,
} from "#api/strategies/registration/mutating-policy.ts";
import { apiServiceStrategy } from "#api/strategies/registration/api-service.ts";
import { customResourceDefinitionStrategy } from "#api/strategies/registration/custom-resource-definition.ts";
import {
  flowSchemaStrategy,
  priorityLevelStrategy,
} from "#api/strategies/flowcontrol/flow-control.ts";
import {
  deviceClassStrategy,
  resourceClaimStrategy,
  resourceClaimTemplateStrategy,
  resourceSliceStrategy,
} from "#api/strategies/resource/device-claims.ts";
import { ingressClassStrategy, ingressStrategy } from "#api/strategies/networking/ingress.ts";
import { networkPolicyStrategy } from "#api/strategies/networking/network-policy.ts";
import { podDisruptionBudgetStrategy } from "#api/strategies/policy/pod-disruption-budget.ts";
import {
  clusterRoleBindingStrategy,
  clusterRoleStrategy,
  roleBindingStrategy,
  roleStrategy,
} from "#api/strategies/rbac/roles.ts";
import { priorityClassStrategy } from "#api/strategies/scheduling/priority-class.ts";
import { runtimeClassStrategy } from "#api/strategies/scheduling/runtime-class.ts";

/** What is particular to a built-in kind; nothing for a kind that is not listed, as for custom resources. */
export function strategyOf(group: string, kind: string): Strategy {
  return strategies[group]?.[kind] ?? {};
}

const strategies: Readonly<Record<string, Readonly<Record<string, Strategy>>>> = {
  "": {
    ConfigMap: configMapStrategy,
    Endpoints: endpointsStrategy,
    Event: coreEventStrategy,
    LimitRange: limitRangeStrategy,
    Namespace: namespaceStrategy,
    Node: nodeStrategy,
    PersistentVolume: persistentVolumeStrategy,
    PersistentVolumeClaim: persistentVolumeClaimStrategy,
    Pod: podStrategy,
    PodTemplate: podTemplateStrategy,
    ReplicationController: replicationControllerStrategy,
    ResourceQuota: resourceQuotaStrategy,
    Secret: secretStrategy,
    Service: serviceStrategy,
    ServiceAccount: serviceAccountStrategy,
  },
  "admissionregistration.k8s.io": {
    MutatingAdmissionPolicy: mutatingAdmissionPolicyStrategy,
    MutatingAdmissionPolicyBinding: mutatingAdmissionPolicyBindingStrategy,
    MutatingWebhookConfiguration: mutatingWebhookStrategy,
    ValidatingAdmissionPolicy: validatingAdmissionPolicyStrategy,
    ValidatingAdmissionPolicyBinding: validatingAdmissionPolicyBindingStrategy,
    ValidatingWebhookConfiguration: validatingWebhookStrategy,
  },
  "apiextensions.k8s.io": { CustomResourceDefinition: customResourceDefinitionStrategy },
  "apiregistration.k8s.io": { APIService: apiServiceStrategy },
  apps: {
    ControllerRevision: controllerRevisionStrategy,
    DaemonSet: daemonSetStrategy,
    Deployment: deploymentStrategy,
    ReplicaSet: replicaSetStrategy,
    StatefulSet: statefulSetStrategy,
  },
  autoscaling: { HorizontalPodAutoscaler: horizontalPodAutoscalerStrategy },
  batch: { CronJob: cronJobStrategy, Job: jobStrategy },
  "certificates.k8s.io": { CertificateSigningRequest: certificateSigningRequestStrategy },
  "coordination.k8s.io": { Lease: leaseStrategy },
  "discovery.k8s.io": { EndpointSlice: endpointSliceStrategy },
  "events.k8s.io": { Event: eventStrategy },
  "flowcontrol.apiserver.k8s.io": {
    FlowSchema: flowSchemaStrategy,
    PriorityLevelConfiguration: priorityLevelStrategy,
  },
  "networking.k8s.io": {
    IPAddress: ipAddressStrategy,
    Ingress: ingressStrategy,
    IngressClass: ingressClassStrategy,
    NetworkPolicy: networkPolicyStrategy,
    ServiceCIDR: serviceCidrStrategy,
  },
  "node.k8s.io": { RuntimeClass: runtimeClassStrategy },
  policy: { PodDisruptionBudget: podDisruptionBudgetStrategy },
  "rbac.authorization.k8s.io": {
    ClusterRole: clusterRoleStrategy,
    ClusterRoleBinding: clusterRoleBindingStrategy,
    Role: roleStrategy,
    RoleBinding: roleBindingStrategy,
  },
  "resource.k8s.io": {
    DeviceClass: deviceClassStrategy,
    ResourceClaim: resourceClaimStrategy,
    ResourceClaimTemplate: resourceClaimTemplateStrategy,
    ResourceSlice: resourceSliceStrategy,
  },
  "scheduling.k8s.io": { PriorityClass: priorityClassStrategy },
  "storage.k8s.io": {
    CSIDriver: csiDriverStrategy,
    CSINode: csiNodeStrategy,
    CSIStorageCapacity: csiStorageCapacityStrategy,
    StorageClass: storageClassStrategy,
    VolumeAttachment: volumeAttachmentStrategy,
    VolumeAttributesClass: volumeAttributesClassStrategy,
  },
};
