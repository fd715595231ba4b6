import { keyOf, parseKey } from "#api/meta.ts";
import { persistentVolumes } from "#api/resources.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { isGoing, withoutFinalizer } from "#controllers/storage-protection/finalizers.ts";
import { createController, keysFrom, type Controller } from "#reconcile/controller.ts";

/** A volume that is deleted stays as long as a claim is bound to it. */
export function createVolumeProtectionController(kit: ControllerKit): Controller {
  const { client, informers, clock, log } = kit;
  const volumes = informers.of(persistentVolumes);
  return createController({
    name: "persistentvolume-protection",
    reads: ["persistentvolumes"],
    writes: [{ resource: "persistentvolumes", fields: "metadata.finalizers", of: "being deleted" }],
    sources: [
      keysFrom(volumes, ({ object }) => (isGoing(object, finalizer) ? [keyOf(object)] : [])),
    ],
    async reconcile(key, { signal }) {
      const volume = volumes.get(parseKey(key));
      if (volume === undefined || !isGoing(volume, finalizer)) return;
      if (volume.status?.phase === "Bound") return;
      await client.update(persistentVolumes, withoutFinalizer(volume, finalizer), { signal });
    },
    clock,
    log,
  });
}

const finalizer = "kubernetes.io/pv-protection";
