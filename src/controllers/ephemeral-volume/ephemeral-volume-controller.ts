import type { PersistentVolumeClaim, Pod, Volume } from "#api/generated/types.ts";
import { keyOf, nameOf, namespaceOf, parseKey } from "#api/meta.ts";
import { persistentVolumeClaims, pods } from "#api/resources.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { isPodFinished } from "#controllers/pods/pod-state.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";
import { controllerRefTo, isControlledBy } from "#reconcile/owners.ts";

/** Makes the claims of pods' ephemeral volumes; they go with the pod that controls them. */
export function createEphemeralVolumeController(kit: ControllerKit): Controller {
  const { client, informers, clock, log } = kit;
  const informer = informers.of(pods);
  const claimInformer = informers.of(persistentVolumeClaims);
  const recorder = kit.recorder("ephemeral_volume");

  const reconcile = async (key: string, run: Run): Promise<void> => {
    const pod = informer.get(parseKey(key));
    if (pod === undefined || pod.metadata.deletionTimestamp !== undefined) return;
    for (const volume of pod.spec?.volumes ?? []) {
      if (volume.ephemeral) await ensure(pod, volume, run.signal);
    }
  };

  const ensure = async (pod: Pod, volume: Volume, signal: AbortSignal): Promise<void> => {
    const claim = claimOf(pod, volume);
    const known = claimInformer.get({ name: nameOf(claim), namespace: namespaceOf(pod) });
    if (known && isControlledBy(known, pod)) return;
    try {
      if (known) {
        const what = `PVC ${namespaceOf(pod)}/${nameOf(claim)} was not created for pod`;
        const who = `${namespaceOf(pod)}/${nameOf(pod)} (pod is not owner)`;
        throw new Error(`${what} ${who}`);
      }
      await client.create(persistentVolumeClaims, claim, { signal });
    } catch (error) {
      const problem = error instanceof Error ? error.message : String(error);
      const message = `ephemeral volume ${volume.name}: ${problem}`;
      recorder.record(pod, { type: "Warning", reason: "FailedBinding", message });
      throw error;
    }
  };

  return createController({
    name: "ephemeral-volume",
    reads: ["pods", "persistentvolumeclaims"],
    writes: [{ resource: "persistentvolumeclaims", fields: "*", of: "new, of Pods" }],
    sources: [
      keysFrom(informer, ({ kind, object }) => {
        const wants = object.spec?.volumes?.some(({ ephemeral }) => ephemeral) ?? false;
        return kind !== "deleted" && wants && !isPodFinished(object) ? [keyOf(object)] : [];
      }),
      keysFrom(claimInformer, () => []),
    ],
    reconcile,
    clock,
    log,
  });
}

function claimOf(pod: Pod, { name, ephemeral }: Volume): PersistentVolumeClaim {
  const { metadata, spec } = ephemeral?.volumeClaimTemplate ?? {};
  const { labels, annotations } = metadata ?? {};
  return {
    apiVersion: "v1",
    kind: "PersistentVolumeClaim",
    metadata: {
      name: `${nameOf(pod)}-${name}`,
      namespace: namespaceOf(pod),
      ...(labels && { labels }),
      ...(annotations && { annotations }),
      ownerReferences: [controllerRefTo(pods, pod)],
    },
    ...(spec && { spec }),
  };
}
