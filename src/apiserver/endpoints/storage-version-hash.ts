import type { JsonObject, Kind } from "#api/kind.ts";
import type { KindRegistry } from "#apiserver/kind-registry.ts";

/**
 * Upstream's `storageVersionHash` for every stored kind of an `APIResourceList`: whoever migrates stored objects
 * learns from it that the stored form changed.
 */
export async function withStorageHashes(
  list: JsonObject,
  kinds: KindRegistry,
): Promise<JsonObject> {
  const { groupVersion, resources } = list as { groupVersion: string; resources: JsonObject[] };
  const [group = "", version = ""] = groupVersion.includes("/")
    ? groupVersion.split("/")
    : ["", groupVersion];
  const hashed = await Promise.all(
    resources.map(async (resource) => {
      const kind = kinds.find(group, version, resource.name as string);
      if (kind === undefined || !kind.verbs.includes("watch")) return resource;
      return { ...resource, storageVersionHash: await hashOf(kind.stored) };
    }),
  );
  return { ...list, resources: hashed };
}

const hashes = new WeakMap<Kind["stored"], Promise<string>>();

function hashOf(stored: Kind["stored"]): Promise<string> {
  let hash = hashes.get(stored);
  if (hash === undefined) {
    hash = digest(`${stored.group}/${stored.version}/${stored.kind}`);
    hashes.set(stored, hash);
  }
  return hash;
}

/** The first eight bytes of the SHA-256, in base64. */
async function digest(text: string): Promise<string> {
  const bytes = await crypto.subtle.digest("SHA-256", new TextEncoder().encode(text));
  return btoa(String.fromCharCode(...new Uint8Array(bytes, 0, 8)));
}
