import type { ConfigMap } from "#api/generated/types.ts";
import { nameOf, namespaceOf, parseKey } from "#api/meta.ts";
import { configMaps, namespaces } from "#api/resources.ts";
import { isAlreadyExists } from "#api/status.ts";
import { createInformer } from "#client/create-informer.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { isNamespaceTerminating } from "#controllers/pods/pod-control.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";

const mapName = "kube-root-ca.crt";

/** Publishes the cluster's CA certificate (PEM) in every namespace, for pods to check the API server by. */
export function createRootCaController(kit: ControllerKit, rootCa: string): Controller {
  const { client, informers, clock, log } = kit;
  const informer = informers.of(namespaces);
  // Only the maps of this name: there may be many others, and large ones.
  const maps = createInformer(client, configMaps, {
    fieldSelector: `metadata.name=${mapName}`,
    signal: kit.signal,
    clock,
    log,
  });
  const data = { "ca.crt": rootCa };

  const reconcile = async (key: string, { signal }: Run): Promise<void> => {
    const namespace = informer.get(parseKey(key));
    if (namespace === undefined || namespace.status?.phase === "Terminating") return;
    const current = maps.get({ namespace: key, name: mapName });
    try {
      if (current === undefined) await client.create(configMaps, mapIn(key, data), { signal });
      else if (current.data?.["ca.crt"] !== rootCa) {
        await client.update(configMaps, { ...current, data }, { signal });
      }
    } catch (error) {
      if (!isAlreadyExists(error) && !isNamespaceTerminating(error)) throw error;
    }
  };

  return createController({
    name: "root-ca-certificate-publisher",
    reads: ["namespaces", "configmaps"],
    writes: [{ resource: "configmaps", fields: "*", of: `named ${mapName}` }],
    sources: [
      keysFrom(informer, ({ object }) => [nameOf(object)]),
      keysFrom(maps, ({ kind, object }) =>
        kind !== "added" && nameOf(object) === mapName ? [namespaceOf(object)] : [],
      ),
    ],
    reconcile,
    clock,
    log,
  });
}

function mapIn(namespace: string, data: Readonly<Record<string, string>>): ConfigMap {
  return {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: {
      name: mapName,
      namespace,
      annotations: {
        "kubernetes.io/description":
          "Contains a CA bundle that can be used to verify the kube-apiserver when using internal " +
          "endpoints such as the internal service IP or kubernetes.default.svc. No other usage is " +
          "guaranteed across distributions of Kubernetes clusters.",
      },
    },
    data,
  };
}
