import type { ConfigMap, Secret } from "#api/generated/types.ts";
import { configMaps } from "#api/resources.ts";
import { ifFound } from "#api/status.ts";
import { createInformer } from "#client/create-informer.ts";
import type { Informer } from "#client/informer.ts";
import { signingToken } from "#controllers/bootstrap/bootstrap-token.ts";
import { detachedSignature } from "#controllers/bootstrap/detached-signature.ts";
import { sameJson } from "#controllers/same-json.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { createController, keysFrom, type Controller } from "#reconcile/controller.ts";

const at = { namespace: "kube-public", name: "cluster-info" };
const signaturePrefix = "jws-kubeconfig-";

/**
 * Signs the kubeconfig in `kube-public/cluster-info` with every bootstrap token that may: whoever holds a token can so
 * tell the cluster's own word from a stranger's.
 */
export function createBootstrapSignerController(
  kit: ControllerKit,
  tokens: Informer<Secret>,
): Controller {
  const { client, clock, log, signal: ended } = kit;
  const maps = createInformer(client, configMaps, {
    namespace: at.namespace,
    fieldSelector: `metadata.name=${at.name}`,
    signal: ended,
    clock,
    log,
  });
  return createController({
    name: "bootstrapsigner",
    reads: ["configmaps", "secrets"],
    writes: [{ resource: "configmaps", fields: "data", of: "kube-public/cluster-info" }],
    sources: [keysFrom(maps, () => [at.name]), keysFrom(tokens, () => [at.name])],
    async reconcile(_key, { signal }) {
      const map = maps.get(at);
      const data = map && (await signedData(map, tokens.list(), clock.now()));
      if (map === undefined || data === undefined || sameJson(data, map.data)) return;
      await ifFound(client.update(configMaps, { ...map, data }, { signal }));
    },
    clock,
    log,
  });
}

/** The map's data with one signature a token; undefined when there is nothing to sign. */
export async function signedData(
  map: ConfigMap,
  secrets: Iterable<Secret>,
  nowMs: number,
): Promise<Record<string, string> | undefined> {
  const content = map.data?.["kubeconfig"];
  if (content === undefined) return undefined;
  const signed = Object.fromEntries(
    Object.entries(map.data ?? {}).filter(([name]) => !name.startsWith(signaturePrefix)),
  );
  for (const secret of secrets) {
    const token = signingToken(secret, nowMs);
    if (token) signed[signaturePrefix + token.id] = await detachedSignature(content, token);
  }
  return signed;
}
