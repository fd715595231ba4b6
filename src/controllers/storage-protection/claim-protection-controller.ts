import type { PersistentVolumeClaim, Pod } from "#api/generated/types.ts";
import { keyOf, nameOf, namespaceOf, parseKey } from "#api/meta.ts";
import { persistentVolumeClaims, pods } from "#api/resources.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { keysOfChange } from "#controllers/replica-set/replica-set-controller.ts";
import { isGoing, withoutFinalizer } from "#controllers/storage-protection/finalizers.ts";
import { createController, keysFrom, type Controller } from "#reconcile/controller.ts";

/** A claim that is deleted stays until no pod on a node uses it. */
export function createClaimProtectionController(kit: ControllerKit): Controller {
  const { client, informers, clock, log } = kit;
  const claims = informers.of(persistentVolumeClaims);
  const podInformer = informers.of(pods);
  return createController({
    name: "persistentvolumeclaim-protection",
    reads: ["persistentvolumeclaims", "pods"],
    writes: [
      { resource: "persistentvolumeclaims", fields: "metadata.finalizers", of: "being deleted" },
    ],
    sources: [
      keysFrom(claims, ({ object }) => (isGoing(object, finalizer) ? [keyOf(object)] : [])),
      keysFrom(podInformer, (change) => keysOfChange(change, claimsOf)),
    ],
    async reconcile(key, { signal }) {
      const claim = claims.get(parseKey(key));
      if (claim === undefined || !isGoing(claim, finalizer)) return;
      for (const pod of podInformer.list(namespaceOf(claim))) if (isUsing(pod, claim)) return;
      await client.update(persistentVolumeClaims, withoutFinalizer(claim, finalizer), { signal });
    },
    clock,
    log,
  });
}

const finalizer = "kubernetes.io/pvc-protection";

function* claimsOf(pod: Pod): Generator<string> {
  for (const name of claimNames(pod)) yield `${namespaceOf(pod)}/${name}`;
}

function claimNames(pod: Pod): readonly string[] {
  return (pod.spec?.volumes ?? []).flatMap(({ name, persistentVolumeClaim, ephemeral }) => {
    if (persistentVolumeClaim !== undefined) return [persistentVolumeClaim.claimName];
    return ephemeral === undefined ? [] : [`${nameOf(pod)}-${name}`];
  });
}

/**
 * A pod that was never put on a node uses nothing; one that ended does until it is gone. The claim that was made for
 * a pod goes before it when the pod waits for what it owns.
 */
function isUsing(pod: Pod, claim: PersistentVolumeClaim): boolean {
  if (!pod.spec?.nodeName) return false;
  const { deletionTimestamp, deletionGracePeriodSeconds } = pod.metadata;
  const isShutDown = deletionTimestamp !== undefined && deletionGracePeriodSeconds === 0;
  return (pod.spec.volumes ?? []).some(({ name, persistentVolumeClaim, ephemeral }) => {
    if (persistentVolumeClaim?.claimName === nameOf(claim)) return true;
    const isOwn = ephemeral !== undefined && `${nameOf(pod)}-${name}` === nameOf(claim);
    return isOwn && !isShutDown;
  });
}
