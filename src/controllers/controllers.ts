import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Random } from "#base/random.ts";
import type { Client } from "#client/client.ts";
import type { Informers } from "#client/informers.ts";
import { createBootstrapSignerController } from "#controllers/bootstrap/signer-controller.ts";
import { createBindingExpiryController } from "#controllers/binding-expiry/binding-expiry-controller.ts";
import { createTokenCleanerController } from "#controllers/bootstrap/token-cleaner-controller.ts";
import { createTokenInformer } from "#controllers/bootstrap/token-informer.ts";
import { createApprovingController } from "#controllers/certificates/approving-controller.ts";
import { createCleanerController } from "#controllers/certificates/cleaner-controller.ts";
import { createSigningController } from "#controllers/certificates/signing-controller.ts";
import type { SignCertificate } from "#controllers/certificates/signing-controller.ts";
import { createCronJobController } from "#controllers/cron-job/cron-job-controller.ts";
import { createDaemonSetController } from "#controllers/daemon-set/daemon-set-controller.ts";
import { createDeploymentController } from "#controllers/deployment/deployment-controller.ts";
import { createDeviceTaintEvictionController } from "#controllers/device-taint-eviction/device-taint-eviction-controller.ts";
import { createDisruptionController } from "#controllers/disruption/disruption-controller.ts";
import { createEndpointSliceController } from "#controllers/endpoint-slice/endpoint-slice-controller.ts";
import { createMirroringController } from "#controllers/endpoint-slice-mirroring/mirroring-controller.ts";
import { createEndpointsController } from "#controllers/endpoints/endpoints-controller.ts";
import { createGarbageCollector } from "#controllers/garbage-collector/garbage-collector.ts";
import { createAutoscalerController } from "#controllers/horizontal-pod-autoscaler/autoscaler-controller.ts";
import { createJobController } from "#controllers/job/job-controller.ts";
import { createNamespaceController } from "#controllers/namespace/namespace-controller.ts";
import { createNodeIpamController } from "#controllers/node-ipam/node-ipam-controller.ts";
import type { IpamRanges } from "#controllers/node-ipam/node-ipam-controller.ts";
import { createNodeTtlController } from "#controllers/node-ttl/node-ttl-controller.ts";
import { createNodeLifecycleController } from "#controllers/node-lifecycle/node-lifecycle-controller.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { createEphemeralVolumeController } from "#controllers/ephemeral-volume/ephemeral-volume-controller.ts";
import { createLocalPathClassController } from "#controllers/persistent-volume/local-path-class-controller.ts";
import { createPersistentVolumeController } from "#controllers/persistent-volume/persistent-volume-controller.ts";
import { createPodGcController } from "#controllers/pod-gc/pod-gc-controller.ts";
import { createReplicaSetController } from "#controllers/replica-set/replica-set-controller.ts";
import { createReplicationController } from "#controllers/replication-controller/replication-controller.ts";
import { createResourceClaimController } from "#controllers/resource-claim/resource-claim-controller.ts";
import { createResourceQuotaController } from "#controllers/resource-quota/resource-quota-controller.ts";
import { createRootCaController } from "#controllers/root-ca/root-ca-controller.ts";
import { createServiceAccountController } from "#controllers/service-account/service-account-controller.ts";
import {
  createIpAddressController,
  createServiceCidrController,
} from "#controllers/service-cidr/service-cidr-controllers.ts";
import { createStatefulSetController } from "#controllers/stateful-set/stateful-set-controller.ts";
import { createClaimProtectionController } from "#controllers/storage-protection/claim-protection-controller.ts";
import { createVolumeProtectionController } from "#controllers/storage-protection/volume-protection-controller.ts";
import { createTaintEvictionController } from "#controllers/taint-eviction/taint-eviction-controller.ts";
import { startControllers, type Controller } from "#reconcile/controller.ts";
import { createEventRecorder } from "#reconcile/event-recorder.ts";
import { createOwnWritesClient } from "#reconcile/own-writes.ts";
import type { QueueMetrics } from "#reconcile/queue-metrics.ts";

export interface ControllersParts {
  readonly client: Client;
  /** A client that acts as this account of kube-system; absent: all act as `client`. */
  readonly clientAs?: (account: string) => Client;
  /** Over the same client; shared with whoever else reads in this process. */
  readonly informers: Informers;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
  /** Where their queues are measured; absent: nowhere. */
  readonly metrics?: QueueMetrics;
  /** Ends everything. */
  readonly signal: AbortSignal;
  /** The cluster's CA certificate (PEM). */
  readonly rootCa: string;
  /** Absent: approved requests for certificates are left to others. */
  readonly signCertificate?: SignCertificate;
  /** Absent: nodes must know their pods' ranges themselves. */
  readonly ipam?: IpamRanges;
}

/** Starts all controllers. Disposing stops them and waits for what is under way. */
export function createControllers(parts: ControllersParts): AsyncDisposable {
  const { log, signal } = parts;
  const measured = parts.metrics && { metrics: parts.metrics };
  return startControllers(allControllers(parts), { log, signal, ...measured });
}

/** All controllers, not yet started: also for the table of what each reads and writes. */
export function allControllers(parts: ControllersParts): readonly Controller[] {
  const as = (account: string): ControllerKit => kitOf(parts, account);
  return [
    createDeploymentController(as("deployment-controller")),
    createReplicaSetController(as("replicaset-controller")),
    createReplicationController(as("replication-controller")),
    createStatefulSetController(as("statefulset-controller")),
    createDaemonSetController(as("daemon-set-controller")),
    createJobController(as("job-controller"), as("ttl-after-finished-controller")),
    createCronJobController(as("cronjob-controller")),
    createAutoscalerController(as("horizontal-pod-autoscaler")),
    createPersistentVolumeController(as("persistent-volume-binder")),
    createLocalPathClassController(kitOf(parts)),
    createEphemeralVolumeController(as("ephemeral-volume-controller")),
    createDisruptionController(as("disruption-controller")),
    createEndpointsController(as("endpoint-controller")),
    createEndpointSliceController(as("endpointslice-controller")),
    createMirroringController(as("endpointslicemirroring-controller")),
    createNamespaceController(as("namespace-controller")),
    createServiceAccountController(as("service-account-controller")),
    createRootCaController(as("root-ca-cert-publisher"), parts.rootCa),
    createNodeLifecycleController(as("node-controller")),
    createNodeTtlController(as("ttl-controller")),
    createTaintEvictionController(as("node-controller")),
    createDeviceTaintEvictionController(as("device-taint-eviction-controller")),
    createPodGcController(as("pod-garbage-collector")),
    createResourceClaimController(as("resource-claim-controller")),
    createServiceCidrController(as("service-cidrs-controller")),
    createIpAddressController(kitOf(parts)),
    createResourceQuotaController(as("resourcequota-controller")),
    createClaimProtectionController(as("pvc-protection-controller")),
    createVolumeProtectionController(as("pv-protection-controller")),
    createBindingExpiryController(kitOf(parts)),
    ...joiningControllers(as, parts),
    // Last: what the others read, it reads with them.
    createGarbageCollector(as("generic-garbage-collector")),
  ];
}

/** What lets nodes and users join: tokens, certificates, ranges of addresses. */
function joiningControllers(
  as: (account: string) => ControllerKit,
  { signCertificate, ipam }: ControllersParts,
): readonly Controller[] {
  const tokens = createTokenInformer(as("token-cleaner"));
  return [
    createTokenCleanerController(as("token-cleaner"), tokens),
    createBootstrapSignerController(as("bootstrap-signer"), tokens),
    createApprovingController(as("certificate-controller")),
    ...(signCertificate
      ? [createSigningController(as("certificate-controller"), signCertificate)]
      : []),
    createCleanerController(as("certificate-controller")),
    ...(ipam ? [createNodeIpamController(as("node-controller"), ipam)] : []),
  ];
}

/** Writes are made as the account, reads are shared. */
function kitOf(parts: ControllersParts, account?: string): ControllerKit {
  const { clock, log, signal } = parts;
  const writer = (account !== undefined && parts.clientAs?.(account)) || parts.client;
  const client: Client = { ...writer };
  for (const verb of reading) Reflect.set(client, verb, Reflect.get(parts.client, verb));
  return {
    ...parts,
    client: createOwnWritesClient({ ...parts, client }),
    recorder: (component) => createEventRecorder({ client, clock, log, signal, component }),
  };
}

const reading: readonly (keyof Client)[] = ["get", "list", "watch", "read"];
