import { alwaysPullImages } from "#apiserver/admission/always-pull-images.ts";
import type { AdmissionPlugin } from "#apiserver/admission/admission-plugin.ts";
import {
  certificateApproval,
  certificateSigning,
  certificateSubject,
} from "#apiserver/admission/certificates/certificate-plugins.ts";
import { claimResize } from "#apiserver/admission/claim-resize.ts";
import type { AdmissionConfiguration } from "#apiserver/admission/configuration/admission-configuration.ts";
import { defaultIngressClass, defaultStorageClass } from "#apiserver/admission/default-classes.ts";
import { defaultTolerations } from "#apiserver/admission/default-tolerations.ts";
import { denyExternalIps } from "#apiserver/admission/deny-external-ips.ts";
import { limitRanger } from "#apiserver/admission/limit-ranger/limit-ranger.ts";
import { namespaceLifecycle } from "#apiserver/admission/namespace-lifecycle.ts";
import { nodeTaint } from "#apiserver/admission/node-taint.ts";
import { ownerPermission } from "#apiserver/admission/owner-permission.ts";
import { extendedResourceToleration } from "#apiserver/admission/pod-placement/extended-resource-toleration.ts";
import { antiAffinityTopology } from "#apiserver/admission/pod-placement/anti-affinity-topology.ts";
import { podNodeSelector } from "#apiserver/admission/pod-placement/pod-node-selector.ts";
import { createPodTolerations } from "#apiserver/admission/pod-placement/pod-tolerations.ts";
import { podTopologyLabels } from "#apiserver/admission/pod-placement/pod-topology-labels.ts";
import { podResize } from "#apiserver/admission/pod-resize.ts";
import { createPodSecurity } from "#apiserver/admission/pod-security/pod-security.ts";
import { priority } from "#apiserver/admission/priority.ts";
import { createResourceQuota } from "#apiserver/admission/resource-quota/resource-quota.ts";
import { runtimeClass } from "#apiserver/admission/runtime-class.ts";
import { serviceAccount } from "#apiserver/admission/service-account.ts";
import { storageProtection } from "#apiserver/admission/storage-protection.ts";

/** The plugins that need nothing but the server; `admission-order.ts` says in which order they act. */
export function builtinPlugins(configuration: AdmissionConfiguration): readonly AdmissionPlugin[] {
  return [
    { name: "NamespaceLifecycle", mutate: namespaceLifecycle },
    antiAffinityTopology,
    limitRanger,
    { name: "ServiceAccount", mutate: serviceAccount },
    nodeTaint,
    alwaysPullImages,
    createPodSecurity(configuration.podSecurity),
    podNodeSelector,
    priority,
    { name: "DefaultTolerationSeconds", mutate: defaultTolerations },
    createPodTolerations(configuration.podTolerations),
    extendedResourceToleration,
    { name: "DefaultStorageClass", mutate: defaultStorageClass },
    storageProtection,
    ownerPermission,
    claimResize,
    runtimeClass,
    certificateApproval,
    certificateSigning,
    certificateSubject,
    { name: "DefaultIngressClass", mutate: defaultIngressClass },
    denyExternalIps,
    podTopologyLabels,
    podResize,
    createResourceQuota(),
  ];
}
