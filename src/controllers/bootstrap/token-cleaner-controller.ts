import type { Secret } from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { secrets } from "#api/resources.ts";
import type { Informer } from "#client/informer.ts";
import { expiresAtMs, tokenNamespace } from "#controllers/bootstrap/bootstrap-token.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { createController, keysFrom, type Controller } from "#reconcile/controller.ts";
import { deleteThis } from "#reconcile/delete-this.ts";

/** Removes bootstrap tokens the moment they expire. */
export function createTokenCleanerController(
  kit: ControllerKit,
  tokens: Informer<Secret>,
): Controller {
  const { client, clock, log } = kit;
  return createController({
    name: "tokencleaner",
    reads: ["secrets"],
    writes: [{ resource: "secrets", fields: "deletion", of: "expired bootstrap tokens" }],
    sources: [keysFrom(tokens, ({ kind, object }) => (kind === "deleted" ? [] : [nameOf(object)]))],
    async reconcile(key, run) {
      const secret = tokens.get({ namespace: tokenNamespace, name: key });
      if (secret === undefined) return;
      const leftMs = expiresAtMs(secret) - clock.now();
      if (leftMs === Infinity) return;
      if (leftMs > 0) return run.requeue(leftMs);
      const { signal } = run;
      await deleteThis(client, { resource: secrets, object: secret }, { signal });
    },
    clock,
    log,
  });
}
