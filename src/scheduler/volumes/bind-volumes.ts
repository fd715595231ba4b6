import type { PersistentVolumeClaim, Pod } from "#api/generated/types.ts";
import { keyOf, nameOf, namespaceOf } from "#api/meta.ts";
import { persistentVolumeClaims, persistentVolumes } from "#api/resources.ts";
import type { Clock } from "#base/clock.ts";
import type { Client } from "#client/client.ts";
import { boundVolume, selectedNode } from "#reconcile/volume-binding.ts";
import { isReachable, type VolumeChoice } from "#scheduler/volumes/choose-volumes.ts";
import { isBound } from "#scheduler/volumes/pod-claims.ts";
import type { Storage } from "#scheduler/volumes/storage.ts";

export interface VolumeBinderParts {
  readonly client: Client;
  readonly storage: Storage;
  readonly clock: Clock;
  readonly bindTimeoutMs: number;
}

export interface ChosenVolumes {
  readonly pod: Pod;
  readonly nodeName: string;
  readonly choice: VolumeChoice;
}

/** Writes what was chosen and waits until the claims are bound. Throws when that fails or takes too long. */
export async function bindVolumes(
  parts: VolumeBinderParts,
  { pod, nodeName, choice }: ChosenVolumes,
  signal: AbortSignal,
): Promise<void> {
  const { client, storage, clock, bindTimeoutMs } = parts;
  const { bindings, provisions } = choice;
  for (const { claim, volume } of bindings) {
    const wanted = boundVolume(volume, claim);
    if (wanted !== volume) await client.update(persistentVolumes, wanted, { signal });
  }
  const written = new Map<string, string>();
  for (const claim of provisions) {
    written.set(keyOf(claim), await selectNode(client, claim, { nodeName, signal }));
  }
  const late = new AbortController();
  const cancel = clock.after(bindTimeoutMs, () =>
    late.abort(new Error("binding volumes: context deadline exceeded")),
  );
  let failure: Error | undefined;
  const claims = [...bindings.map(({ claim }) => claim), ...provisions].map(keyOf);
  const settled = (): boolean => {
    const states = claims.map((key): boolean => {
      const claim = storage.claim(key);
      if (claim && isOlder(claim, written.get(key))) return false;
      if (claim === undefined) failure = new Error(`binding volumes: PVC "${key}" is gone`);
      else failure ??= failureOf(claim, { nodeName, storage, isNew: written.has(key) });
      return claim !== undefined && isBound(claim);
    });
    return failure !== undefined || states.every(Boolean);
  };
  try {
    await storage.until(pod, settled, AbortSignal.any([signal, late.signal]));
  } finally {
    cancel();
  }
  if (failure) throw failure;
}

/** What is known may be from before one's own write. */
function isOlder({ metadata }: PersistentVolumeClaim, version: string | undefined): boolean {
  return version !== undefined && Number(metadata.resourceVersion) < Number(version);
}

/** Returns the claim's version that has the node. */
async function selectNode(
  client: Client,
  claim: PersistentVolumeClaim,
  { nodeName, signal }: { readonly nodeName: string; readonly signal: AbortSignal },
): Promise<string> {
  const { resourceVersion = "", uid } = claim.metadata;
  if (claim.metadata.annotations?.[selectedNode] === nodeName) return resourceVersion;
  const metadata = { resourceVersion, uid, annotations: { [selectedNode]: nodeName } };
  const at = { namespace: namespaceOf(claim), name: nameOf(claim) };
  const patch = { kind: "merge" as const, value: { metadata } };
  const next = await client.patch(persistentVolumeClaims, at, patch, { signal });
  return next.metadata.resourceVersion ?? "";
}

interface Expected {
  readonly nodeName: string;
  readonly storage: Storage;
  readonly isNew: boolean;
}

function failureOf(
  claim: PersistentVolumeClaim,
  { nodeName, storage, isNew }: Expected,
): Error | undefined {
  const chosen = claim.metadata.annotations?.[selectedNode];
  // A provisioner that cannot serve the node takes the annotation away.
  if (isNew && !isBound(claim) && chosen !== nodeName) {
    return new Error(`binding volumes: provisioning failed for PVC "${nameOf(claim)}"`);
  }
  const volume = storage.volume(claim.spec?.volumeName ?? "");
  const node = storage.node(nodeName);
  if (!volume || !node || isReachable(volume, node)) return undefined;
  return new Error(
    `binding volumes: pv "${nameOf(volume)}" node affinity doesn't match node "${nodeName}"`,
  );
}
