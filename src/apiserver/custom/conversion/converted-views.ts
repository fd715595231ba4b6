import type { ConversionWebhook } from "#api/custom/conversion-webhook.ts";
import type { JsonObject, Kind } from "#api/kind.ts";
import { apiVersionOf } from "#api/resource.ts";
import type { StoredObject } from "#apiserver/cache/stored-object.ts";
import { convertObjects } from "#apiserver/custom/conversion/convert-objects.ts";
import { cloneJson } from "#apiserver/objects/json.ts";
import { hasView, keepView, storedBytes, viewOf } from "#apiserver/objects/view.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/**
 * Has the stored objects converted that the kind cannot show without its webhook, so that `viewOf` answers for all
 * of them. What was converted is kept for as long as the stored object is. Undefined where there is nothing to do.
 */
export function prepareViews(
  server: ServerState,
  kind: Kind,
  objects: readonly StoredObject[],
): Promise<void> | undefined {
  const { webhook } = kind.stored;
  if (webhook === undefined) return undefined;
  const missing = objects.filter((stored) => !hasView(kind, stored));
  return missing.length === 0 ? undefined : prepare(server, { kind, webhook, missing });
}

interface Preparing {
  readonly kind: Kind;
  readonly webhook: ConversionWebhook;
  readonly missing: readonly StoredObject[];
}

/** Several watchers of one object ask once. */
async function prepare(server: ServerState, { kind, webhook, missing }: Preparing): Promise<void> {
  const known = pendingOf(kind);
  const fresh = missing.filter((stored) => !known.has(stored));
  const converting = convertStored(server, { kind, webhook, missing: fresh });
  for (const stored of fresh) known.set(stored, converting);
  try {
    await Promise.all(new Set(missing.flatMap((stored) => known.get(stored) ?? [])));
  } finally {
    for (const stored of fresh) known.delete(stored);
  }
}

const pending = new WeakMap<Kind, WeakMap<StoredObject, Promise<void>>>();

function pendingOf(kind: Kind): WeakMap<StoredObject, Promise<void>> {
  const known = pending.get(kind) ?? new WeakMap<StoredObject, Promise<void>>();
  pending.set(kind, known);
  return known;
}

async function convertStored(
  server: ServerState,
  { kind, webhook, missing }: Preparing,
): Promise<void> {
  if (missing.length === 0) return;
  const objects = missing.map((stored) => stored.draft());
  const desired = apiVersionOf(kind);
  const converted = await convertObjects(server, { webhook, desired, objects });
  for (const [index, stored] of missing.entries()) {
    const object = converted[index];
    if (object !== undefined) keepView(kind, stored, object);
  }
}

/** A stored object as a kind shows it, whoever has to convert it. */
export async function shownAs(
  server: ServerState,
  kind: Kind,
  stored: StoredObject,
): Promise<StoredObject> {
  const preparing = prepareViews(server, kind, [stored]);
  if (preparing !== undefined) await preparing;
  return viewOf(kind, stored);
}

/** The bytes under which an object of this kind is kept, whoever has to convert it. `object` is not changed. */
export function bytesToStore(
  server: ServerState,
  kind: Kind,
  object: JsonObject,
): Uint8Array | Promise<Uint8Array> {
  const { webhook, version } = kind.stored;
  if (webhook === undefined || version === kind.version) return storedBytes(kind, object);
  return convertToStore(server, { kind, webhook, object });
}

interface Storing {
  readonly kind: Kind;
  readonly webhook: ConversionWebhook;
  readonly object: JsonObject;
}

async function convertToStore(
  server: ServerState,
  { kind, webhook, object }: Storing,
): Promise<Uint8Array> {
  const desired = apiVersionOf(kind.stored);
  const objects = [cloneJson(object)];
  const [converted = object] = await convertObjects(server, { webhook, desired, objects });
  return storedBytes(kind, converted);
}
