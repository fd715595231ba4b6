import type {
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  Pod,
  StorageClass,
} from "#api/generated/types.ts";
import { keyOf, nameOf, namespaceOf, parseKey } from "#api/meta.ts";
import {
  nodes,
  persistentVolumeClaims,
  persistentVolumes,
  pods,
  storageClasses,
} from "#api/resources.ts";
import { ifFound, isAlreadyExists } from "#api/status.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import {
  boundClaim,
  boundVolume,
  classNameOf,
  provisionedBy,
  provisionerAnnotations,
  selectedNode,
} from "#reconcile/volume-binding.ts";
import { claimsOfPod, podClaimIndex } from "#reconcile/claims-of-pod.ts";
import {
  localPathProblem,
  localPathProvisioner,
  localVolume,
} from "#controllers/persistent-volume/local-path.ts";
import {
  claimStatus,
  planClaim,
  type ClaimAction,
} from "#controllers/persistent-volume/plan-claim.ts";
import { planVolume } from "#controllers/persistent-volume/plan-volume.ts";
import { sameJson } from "#controllers/same-json.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";

const volumePrefix = "volume ";
const claimPrefix = "claim ";

/** Binds claims and volumes, makes volumes from directories of nodes, and takes back those whose claim is gone. */
export function createPersistentVolumeController(kit: ControllerKit): Controller {
  const { client, informers, clock, log } = kit;
  const volumeInformer = informers.of(persistentVolumes, claimedVolumes);
  const claimInformer = informers.of(persistentVolumeClaims);
  const classInformer = informers.of(storageClasses);
  const nodeInformer = informers.of(nodes);
  const podInformer = informers.of(pods, podClaimIndex);
  const recorder = kit.recorder("persistentvolume-controller");

  const reconcile = async (key: string, run: Run): Promise<void> => {
    if (key.startsWith(volumePrefix)) {
      return reconcileVolume(volumeInformer.get({ name: key.slice(volumePrefix.length) }), run);
    }
    const claim = claimInformer.get(parseKey(key.slice(claimPrefix.length)));
    if (claim === undefined || claim.metadata.deletionTimestamp !== undefined) return;
    const storageClass = classInformer.get({ name: classNameOf(claim) });
    const named = volumeInformer.get({ name: claim.spec?.volumeName ?? "" });
    const defaultClass = defaultClassName();
    const node = nodeOf(claim);
    const action = planClaim({
      claim,
      volumes: candidates(claim),
      ...(named && { named }),
      ...(storageClass && { storageClass }),
      ...(defaultClass && { defaultClass }),
      ...(node && { node }),
    });
    await act(claim, action, run);
  };

  /** Volumes that are meant for the claim, and free ones of its class. */
  const candidates = function* (claim: PersistentVolumeClaim): Generator<PersistentVolume> {
    yield* volumeInformer.byIndex("claim", keyOf(claim));
    yield* volumeInformer.byIndex("freeOfClass", classNameOf(claim));
  };

  const act = async (
    claim: PersistentVolumeClaim,
    action: ClaimAction,
    run: Run,
  ): Promise<void> => {
    switch (action.kind) {
      case "bind":
        return bind(claim, action.volume, run);
      case "provision":
        return provision(claim, action, run);
      case "setClass": {
        const next = { ...claim, spec: { ...claim.spec, storageClassName: action.name } };
        await client.update(persistentVolumeClaims, next, { signal: run.signal });
        return;
      }
      case "settle":
        if (action.event) recorder.record(claim, action.event);
        await writeClaimStatus(claim, claimStatus(claim, action.phase), run);
    }
  };

  /** The volume first: a claim is bound only to what is bound to it. */
  const bind = async (
    claim: PersistentVolumeClaim,
    volume: PersistentVolume,
    { signal }: Run,
  ): Promise<void> => {
    const wanted = boundVolume(volume, claim);
    const written =
      wanted === volume ? volume : await client.update(persistentVolumes, wanted, { signal });
    await writePhase(written, "Bound", signal);
    const next = boundClaim(claim, written);
    const current =
      next === claim ? claim : await client.update(persistentVolumeClaims, next, { signal });
    await writeClaimStatus(current, claimStatus(claim, "Bound", written), { signal });
  };

  const provision = async (
    claim: PersistentVolumeClaim,
    { storageClass, node }: Extract<ClaimAction, { kind: "provision" }>,
    run: Run,
  ): Promise<void> => {
    const { provisioner } = storageClass;
    if (provisioner !== localPathProvisioner) return awaitProvisioner(claim, provisioner, run);
    const problem = localPathProblem(claim);
    const target = node ?? anyNode();
    if (problem !== undefined || target === undefined) {
      const message = problem ?? "no node is known that could hold the volume";
      recorder.record(claim, { type: "Warning", reason: "ProvisioningFailed", message });
      return writeClaimStatus(claim, claimStatus(claim, "Pending"), run);
    }
    const volume = localVolume({ claim, storageClass, node: target });
    try {
      await client.create(persistentVolumes, volume, { signal: run.signal });
      const message = `Successfully provisioned volume ${nameOf(volume)}`;
      recorder.record(claim, { type: "Normal", reason: "ProvisioningSucceeded", message });
    } catch (error) {
      if (!isAlreadyExists(error)) throw error;
    }
  };

  /** Others' provisioners act on the annotation. */
  const awaitProvisioner = async (
    claim: PersistentVolumeClaim,
    provisioner: string,
    run: Run,
  ): Promise<void> => {
    const known = claim.metadata.annotations ?? {};
    if (provisionerAnnotations.some((name) => known[name] !== provisioner)) {
      const mine = provisionerAnnotations.map((name) => [name, provisioner]);
      const annotations = { ...known, ...Object.fromEntries(mine) };
      const next = { ...claim, metadata: { ...claim.metadata, annotations } };
      await client.update(persistentVolumeClaims, next, { signal: run.signal });
      return;
    }
    const message = `Waiting for a volume to be created either by the external provisioner '${provisioner}' or manually by the system administrator. If volume creation is delayed, please verify that the provisioner is running and correctly registered.`;
    recorder.record(claim, { type: "Normal", reason: "ExternalProvisioning", message });
    await writeClaimStatus(claim, claimStatus(claim, "Pending"), run);
  };

  const reconcileVolume = async (volume: PersistentVolume | undefined, run: Run): Promise<void> => {
    if (volume === undefined) return;
    const action = planVolume(volume, await claimOf(volume, run.signal));
    const { claimRef } = volume.spec ?? {};
    switch (action.kind) {
      case "phase":
        return writePhase(volume, action.phase, run.signal);
      case "unbind":
        await client.update(persistentVolumes, action.volume, run);
        return;
      case "claim":
        return run.requeue(0, `${claimPrefix}${claimRef?.namespace ?? ""}/${claimRef?.name ?? ""}`);
      case "reclaim":
        return reclaim(volume, action.policy, run);
    }
  };

  /** The claim of the volume's reference; whether it is gone is asked of the server. */
  const claimOf = async (
    { spec }: PersistentVolume,
    signal: AbortSignal,
  ): Promise<PersistentVolumeClaim | undefined> => {
    const { namespace = "", name = "", uid } = spec?.claimRef ?? {};
    if (!uid) return undefined;
    const known = claimInformer.get({ namespace, name });
    if (known?.metadata.uid === uid) return known;
    const claim = await ifFound(
      client.get(persistentVolumeClaims, { namespace, name }, { signal }),
    );
    return claim?.metadata.uid === uid ? claim : undefined;
  };

  const reclaim = async (volume: PersistentVolume, policy: string, run: Run): Promise<void> => {
    if (policy === "Retain" || volume.metadata.deletionTimestamp !== undefined) return;
    const provisioner = volume.metadata.annotations?.[provisionedBy];
    if (policy === "Delete" && provisioner === localPathProvisioner) {
      await ifFound(client.delete(persistentVolumes, { name: nameOf(volume) }, run));
      return;
    }
    // Volumes of others are deleted by those who made them.
    if (policy === "Delete" && provisioner !== undefined) return;
    const message =
      policy === "Recycle"
        ? "No recycler plugin found for the volume!"
        : `error getting deleter volume plugin for volume "${nameOf(volume)}": no deletable volume plugin matched`;
    const reason = policy === "Recycle" ? "VolumeFailedRecycle" : "VolumeFailedDelete";
    if (volume.status?.phase === "Failed" && volume.status.message === message) return;
    recorder.record(volume, { type: "Warning", reason, message });
    await client.update(
      persistentVolumes,
      { ...volume, status: { ...volume.status, phase: "Failed", message } },
      { subresource: "status", signal: run.signal },
    );
  };

  const writePhase = async (
    volume: PersistentVolume,
    phase: string,
    signal: AbortSignal,
  ): Promise<void> => {
    if (volume.status?.phase === phase) return;
    const { message: _message, reason: _reason, ...rest } = volume.status ?? {};
    const next = { ...volume, status: { ...rest, phase } };
    await client.update(persistentVolumes, next, { subresource: "status", signal });
  };

  const writeClaimStatus = async (
    claim: PersistentVolumeClaim,
    status: PersistentVolumeClaim["status"],
    { signal }: { readonly signal: AbortSignal },
  ): Promise<void> => {
    if (sameJson(status, claim.status)) return;
    const next = { ...claim, ...(status && { status }) };
    await client.update(persistentVolumeClaims, next, { subresource: "status", signal });
  };

  /** The newest of those marked, as admission has it. */
  const defaultClassName = (): string | undefined =>
    [...classInformer.list()]
      .filter(isDefaultClass)
      .toSorted((one, other) => createdOf(other).localeCompare(createdOf(one)))[0]?.metadata.name;

  /** Where the scheduler says that the claim's pod is to run, or where one runs that asked for no scheduler. */
  const nodeOf = (claim: PersistentVolumeClaim): Node | undefined => {
    const chosen = claim.metadata.annotations?.[selectedNode];
    if (chosen !== undefined) return nodeInformer.get({ name: chosen });
    for (const pod of podInformer.byIndex("claim", keyOf(claim))) {
      const node = pod.spec?.nodeName && nodeInformer.get({ name: pod.spec.nodeName });
      if (node) return node;
    }
    return undefined;
  };

  const anyNode = (): Node | undefined => {
    for (const node of nodeInformer.list()) if (!node.spec?.unschedulable) return node;
    return undefined;
  };

  /** Claims that wait for a volume of any kind. */
  const waitingClaims = function* (): Generator<string> {
    for (const claim of claimInformer.list()) {
      if (claim.status?.phase !== "Bound") yield claimPrefix + keyOf(claim);
    }
  };

  return createController({
    name: "persistentvolume-binder",
    reads: [
      "persistentvolumes",
      "persistentvolumeclaims",
      "storageclasses.storage.k8s.io",
      "nodes",
      "pods",
    ],
    writes: [
      { resource: "persistentvolumes", fields: "*" },
      { resource: "persistentvolumes", fields: "deletion", of: "made from nodes' directories" },
      { resource: "persistentvolumeclaims", fields: "status" },
      { resource: "persistentvolumeclaims", fields: "spec" },
      { resource: "persistentvolumeclaims", fields: "metadata.annotations" },
    ],
    sources: [
      keysFrom(claimInformer, ({ object }) => [
        claimPrefix + keyOf(object),
        ...Array.from(
          volumeInformer.byIndex("claim", keyOf(object)),
          (volume) => volumePrefix + nameOf(volume),
        ),
      ]),
      keysFrom(volumeInformer, ({ object }) => {
        const { namespace = "", name = "" } = object.spec?.claimRef ?? {};
        const own = volumePrefix + nameOf(object);
        return name === ""
          ? [own, ...waitingClaims()]
          : [own, `${claimPrefix}${namespace}/${name}`];
      }),
      keysFrom(classInformer, () => waitingClaims()),
      keysFrom(nodeInformer, ({ kind }) => (kind === "added" ? waitingClaims() : [])),
      keysFrom(podInformer, ({ object }) => waitingOf(object)),
    ],
    reconcile,
    // One at a time: two claims never choose the same volume.
    concurrency: 1,
    clock,
    log,
  });

  function waitingOf(pod: Pod): readonly string[] {
    if (!pod.spec?.nodeName) return [];
    return claimsOfPod(pod)
      .map((name) => ({ namespace: namespaceOf(pod), name }))
      .filter((at) => claimInformer.get(at)?.status?.phase !== "Bound")
      .map(({ namespace, name }) => `${claimPrefix}${namespace}/${name}`);
  }
}

/** Volumes by the claim that they name, or, where they name none, by their class. */
const claimedVolumes = {
  freeOfClass: (volume: PersistentVolume): readonly string[] =>
    volume.spec?.claimRef === undefined ? [classNameOf(volume)] : [],
  claim: ({ spec }: PersistentVolume): readonly string[] =>
    spec?.claimRef?.name ? [`${spec.claimRef.namespace ?? ""}/${spec.claimRef.name}`] : [],
};

function isDefaultClass({ metadata }: StorageClass): boolean {
  return metadata.annotations?.["storageclass.kubernetes.io/is-default-class"] === "true";
}

function createdOf({ metadata }: StorageClass): string {
  return metadata.creationTimestamp ?? "";
}
