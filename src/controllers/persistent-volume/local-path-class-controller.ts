import { storageClasses } from "#api/resources.ts";
import { nameOf } from "#api/meta.ts";
import { isAlreadyExists } from "#api/status.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { localPathClass } from "#controllers/persistent-volume/local-path.ts";
import { createController, type Controller } from "#reconcile/controller.ts";

/**
 * Makes the storage class of nodes' directories once at each start. It is the default one until its annotation says
 * otherwise; one that was deleted comes back with the next start.
 */
export function createLocalPathClassController({ client, clock, log }: ControllerKit): Controller {
  return createController({
    name: "local-path-class",
    reads: [],
    writes: [{ resource: "storageclasses.storage.k8s.io", fields: "*", of: "new, local-path" }],
    sources: [
      {
        synced: Promise.resolve(),
        listen(queue) {
          queue.add(nameOf(localPathClass));
          return { [Symbol.dispose]() {} };
        },
      },
    ],
    async reconcile(_name, { signal }) {
      try {
        await client.create(storageClasses, localPathClass, { signal });
      } catch (error) {
        if (!isAlreadyExists(error)) throw error;
      }
    },
    clock,
    log,
  });
}
