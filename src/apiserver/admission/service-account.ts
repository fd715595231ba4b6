import type { JsonObject } from "#api/kind.ts";
import type { Json } from "#api/meta.ts";
import { randomSuffix } from "#base/random.ts";
import { isFor, notAdmitted, type Attempt } from "#apiserver/admission/admission.ts";
import type { Call } from "#apiserver/call.ts";
import { ensureObject, objectAt, objectsAt, stringAt } from "#apiserver/objects/json.ts";
import { lookUp } from "#apiserver/objects/read.ts";

/** Gives a new pod its service account, the account's pull secrets and the volume with its token. */
export async function serviceAccount(call: Call, attempt: Attempt): Promise<void> {
  const { operation, object } = attempt;
  if (operation !== "CREATE" || object === undefined || !isFor(call, "", "pods")) return;
  const annotations = objectAt(objectAt(object, "metadata"), "annotations");
  if (annotations[mirrorAnnotation] !== undefined) return assertBareMirror(call, attempt);
  const spec = ensureObject(object, "spec");
  const name = stringAt(spec, "serviceAccountName") || "default";
  spec.serviceAccountName = name;
  spec.serviceAccount = name;
  const account = await findAccount(call, attempt, name);
  if (mountsToken(spec, account)) mountToken(call, spec);
  const secrets = objectsAt(account, "imagePullSecrets");
  if (objectsAt(spec, "imagePullSecrets").length === 0 && secrets.length > 0) {
    spec.imagePullSecrets = secrets.map((secret) => ({ ...secret }));
  }
}

const mirrorAnnotation = "kubernetes.io/config.mirror";

/** The pod of a node's own file stands for nobody. */
function assertBareMirror(call: Call, attempt: Attempt): void {
  const spec = objectAt(attempt.object, "spec");
  if (stringAt(spec, "serviceAccountName") === "") return;
  throw notAdmitted(call, attempt, "a mirror pod may not reference service accounts");
}

async function findAccount(call: Call, attempt: Attempt, name: string): Promise<JsonObject> {
  const { namespace } = call.info;
  const read = (): JsonObject | undefined =>
    lookUp(call.server, { group: "", resource: "serviceaccounts" }, { namespace, name });
  const account = read() ?? (name === "default" ? await appearing(call, read) : undefined);
  if (account !== undefined) return account;
  throw notAdmitted(
    call,
    attempt,
    `error looking up service account ${namespace}/${name}: serviceaccount ${JSON.stringify(name)} not found`,
  );
}

/**
 * The default account of a new namespace is made by a controller a moment later: worth a short wait, for as long as
 * the caller waits too. A controller that is stopped waits for its requests, and the one that makes accounts may be
 * stopped already.
 */
function appearing(
  call: Call,
  read: () => JsonObject | undefined,
): Promise<JsonObject | undefined> {
  const { cache, clock } = call.server;
  const { signal } = call.request;
  if (signal.aborted) return Promise.resolve(undefined);
  return new Promise((resolve) => {
    const settle = (account: JsonObject | undefined): void => {
      listening[Symbol.dispose]();
      cancel();
      signal.removeEventListener("abort", giveUp);
      resolve(account);
    };
    const giveUp = (): void => settle(undefined);
    const listening = cache.onRevision(() => {
      const account = read();
      if (account !== undefined) settle(account);
    });
    const cancel = clock.after(accountWaitMs, giveUp);
    signal.addEventListener("abort", giveUp, { once: true });
  });
}

const accountWaitMs = 1_500;

function mountsToken(spec: JsonObject, account: JsonObject): boolean {
  const wish = spec.automountServiceAccountToken ?? account.automountServiceAccountToken;
  return wish !== false;
}

function mountToken(call: Call, spec: JsonObject): void {
  const volumes = objectsAt(spec, "volumes");
  const present = volumes.find((volume) => stringAt(volume, "name").startsWith(volumePrefix));
  const name = present
    ? stringAt(present, "name")
    : volumePrefix + randomSuffix(call.server.random);
  const containers = [...objectsAt(spec, "initContainers"), ...objectsAt(spec, "containers")];
  const without = containers.filter((container) => !hasMount(container));
  for (const container of without) {
    const mount = { name, readOnly: true, mountPath: tokenPath };
    container.volumeMounts = [...objectsAt(container, "volumeMounts"), mount];
  }
  if (without.length > 0 && present === undefined) spec.volumes = [...volumes, tokenVolume(name)];
}

const volumePrefix = "kube-api-access-";
const tokenPath = "/var/run/secrets/kubernetes.io/serviceaccount";

function hasMount(container: JsonObject): boolean {
  return objectsAt(container, "volumeMounts").some((mount) => mount.mountPath === tokenPath);
}

function tokenVolume(name: string): JsonObject {
  const sources: Json[] = [
    { serviceAccountToken: { expirationSeconds: 3_607, path: "token" } },
    { configMap: { name: "kube-root-ca.crt", items: [{ key: "ca.crt", path: "ca.crt" }] } },
    {
      downwardAPI: {
        items: [
          { path: "namespace", fieldRef: { apiVersion: "v1", fieldPath: "metadata.namespace" } },
        ],
      },
    },
  ];
  return { name, projected: { defaultMode: 0o644, sources } };
}
