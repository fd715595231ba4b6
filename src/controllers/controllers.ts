import type { Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Random } from "#base/random.ts";
import type { Client } from "#client/client.ts";
import type { Informers } from "#client/informers.ts";
import { createBootstrapSignerController } from "#controllers/bootstrap/signer-controller.ts";
import { createTokenCleanerController } from "#controllers/bootstrap/token-cleaner-controller.ts";
import { createTokenInformer } from "#controllers/bootstrap/token-informer.ts";
import { createApprovingController } from "#controllers/certificates/approving-controller.ts";
import { createCleanerController } from "#controllers/certificates/cleaner-controller.ts";
import { createSigningController } from "#controllers/certificates/signing-controller.ts";
import type { SignCertificate } from "#controllers/certificates/signing-controller.ts";
import { createCronJobController } from "#controllers/cron-job/cron-job-controller.ts";
import { createDaemonSetController } from "#controllers/daemon-set/daemon-set-controller.ts";
import { createDeploymentController } from "#controllers/deployment/deployment-controller.ts";
import { createDisruptionController } from "#controllers/disruption/disruption-controller.ts";
import { createEndpointSliceController } from "#controllers/endpoint-slice/endpoint-slice-controller.ts";
import { createEndpointsController } from "#controllers/endpoints/endpoints-controller.ts";
import { createEphemeralVolumeController } from "#controllers/ephemeral-volume/ephemeral-volume-controller.ts";
import { createGarbageCollector } from "#controllers/garbage-collector/garbage-collector.ts";
import { createAutoscalerController } from "#controllers/horizontal-pod-autoscaler/autoscaler-controller.ts";
import { createJobController } from "#controllers/job/job-controller.ts";
import { createNamespaceController } from "#controllers/namespace/namespace-controller.ts";
import { createNodeIpamController } from "#controllers/node-ipam/node-ipam-controller.ts";
import type { IpamRanges } from "#controllers/node-ipam/node-ipam-controller.ts";
import { createNodeLifecycleController } from "#controllers/node-lifecycle/node-lifecycle-controller.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { createLocalPathClassController } from "#controllers/persistent-volume/local-path-class-controller.ts";
import { createPersistentVolumeController } from "#controllers/persistent-volume/persistent-volume-controller.ts";
import { createPodGcController } from "#controllers/pod-gc/pod-gc-controller.ts";
import { createReplicaSetController } from "#controllers/replica-set/replica-set-controller.ts";
import { createReplicationController } from "#controllers/replication-controller/replication-controller.ts";
import { createResourceQuotaController } from "#controllers/resource-quota/resource-quota-controller.ts";
import { createRootCaController } from "#controllers/root-ca/root-ca-controller.ts";
import { createServiceAccountController } from "#controllers/service-account/service-account-controller.ts";
import { createStatefulSetController } from "#controllers/stateful-set/stateful-set-controller.ts";
import { createClaimProtectionController } from "#controllers/storage-protection/claim-protection-controller.ts";
import { createVolumeProtectionController } from "#controllers/storage-protection/volume-protection-controller.ts";
import { createTaintEvictionController } from "#controllers/taint-eviction/taint-eviction-controller.ts";
import { startControllers, type Controller } from "#reconcile/controller.ts";
import { createEventRecorder } from "#reconcile/event-recorder.ts";
import { createOwnWritesClient } from "#reconcile/own-writes.ts";

export interface ControllersParts {
  readonly client: Client;
  /** Over the same client; shared with whoever else reads in this process. */
  readonly informers: Informers;
  readonly clock: Clock;
  readonly random: Random;
  readonly log: Log;
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
  return startControllers(allControllers(parts), { log, signal });
}

/** All controllers, not yet started: also for the table of what each reads and writes. */
export function allControllers(parts: ControllersParts): readonly Controller[] {
  const kit = kitOf(parts);
  return [
    createDeploymentController(kit),
    createReplicaSetController(kit),
    createReplicationController(kit),
    createStatefulSetController(kit),
    createDaemonSetController(kit),
    createJobController(kit),
    createCronJobController(kit),
    createAutoscalerController(kit),
    createPersistentVolumeController(kit),
    createLocalPathClassController(kit),
    createEphemeralVolumeController(kit),
    createDisruptionController(kit),
    createEndpointsController(kit),
    createEndpointSliceController(kit),
    createNamespaceController(kit),
    createServiceAccountController(kit),
    createRootCaController(kit, parts.rootCa),
    createNodeLifecycleController(kit),
    createTaintEvictionController(kit),
    createPodGcController(kit),
    createResourceQuotaController(kit),
    createClaimProtectionController(kit),
    createVolumeProtectionController(kit),
    ...joiningControllers(kit, parts),
    // Last: what the others read, it reads with them.
    createGarbageCollector(kit),
  ];
}

/** What lets nodes and users join: tokens, certificates, ranges of addresses. */
function joiningControllers(
  kit: ControllerKit,
  { signCertificate, ipam }: ControllersParts,
): readonly Controller[] {
  const tokens = createTokenInformer(kit);
  return [
    createTokenCleanerController(kit, tokens),
    createBootstrapSignerController(kit, tokens),
    createApprovingController(kit),
    ...(signCertificate ? [createSigningController(kit, signCertificate)] : []),
    createCleanerController(kit),
    ...(ipam ? [createNodeIpamController(kit, ipam)] : []),
  ];
}

function kitOf(parts: ControllersParts): ControllerKit {
  const { client, clock, log, signal } = parts;
  return {
    ...parts,
    client: createOwnWritesClient(parts),
    recorder: (component) => createEventRecorder({ client, clock, log, signal, component }),
  };
}
