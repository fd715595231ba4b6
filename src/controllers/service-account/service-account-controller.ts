import { namespaceOf, nameOf, parseKey } from "#api/meta.ts";
import { namespaces, serviceAccounts } from "#api/resources.ts";
import { isAlreadyExists } from "#api/status.ts";
import { createInformer } from "#client/create-informer.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { isNamespaceTerminating } from "#controllers/pods/pod-control.ts";
import { createController, keysFrom, type Controller, type Run } from "#reconcile/controller.ts";

const accountName = "default";

/** Gives every namespace its service account `default`, and again when it is deleted. */
export function createServiceAccountController(kit: ControllerKit): Controller {
  const { client, informers, clock, log } = kit;
  const informer = informers.of(namespaces);
  const accounts = createInformer(client, serviceAccounts, {
    fieldSelector: `metadata.name=${accountName}`,
    signal: kit.signal,
    clock,
    log,
  });

  const reconcile = async (key: string, { signal }: Run): Promise<void> => {
    const namespace = informer.get(parseKey(key));
    if (namespace === undefined || namespace.status?.phase === "Terminating") return;
    if (accounts.get({ namespace: key, name: accountName })) return;
    const account = {
      apiVersion: "v1",
      kind: "ServiceAccount",
      metadata: { name: accountName, namespace: key },
    };
    try {
      await client.create(serviceAccounts, account, { signal });
    } catch (error) {
      if (!isAlreadyExists(error) && !isNamespaceTerminating(error)) throw error;
    }
  };

  return createController({
    name: "serviceaccount",
    reads: ["namespaces", "serviceaccounts"],
    writes: [{ resource: "serviceaccounts", fields: "*", of: "new, named default" }],
    sources: [
      keysFrom(informer, ({ object }) => [nameOf(object)]),
      keysFrom(accounts, ({ kind, object }) => (kind === "deleted" ? [namespaceOf(object)] : [])),
    ],
    reconcile,
    clock,
    log,
  });
}
