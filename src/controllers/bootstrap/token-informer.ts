import type { Secret } from "#api/generated/types.ts";
import { secrets } from "#api/resources.ts";
import { createInformer } from "#client/create-informer.ts";
import type { Informer } from "#client/informer.ts";
import { tokenNamespace, tokenType } from "#controllers/bootstrap/bootstrap-token.ts";
import type { ControllerKit } from "#controllers/parts.ts";

/** Only the bootstrap tokens: there may be many other secrets. */
export function createTokenInformer({
  client,
  clock,
  log,
  signal,
}: ControllerKit): Informer<Secret> {
  return createInformer(client, secrets, {
    namespace: tokenNamespace,
    fieldSelector: `type=${tokenType}`,
    signal,
    clock,
    log,
  });
}
