import type { JsonObject } from "#api/kind.ts";
import { resourcePrefix, type StoreCache } from "#apiserver/cache/store-cache.ts";
import type { StoredObject } from "#apiserver/cache/stored-object.ts";
import { objectAt, stringAt } from "#apiserver/objects/json.ts";
import { referencesOf, referenceTo, type Reference } from "#apiserver/rbac/nodes/pod-references.ts";

/**
 * Which objects the pods of each node need. It is built when the first node asks and kept up to date from then on,
 * so that a start with many pods does not wait for it.
 */
export class NodeGraph {
  readonly #cache: StoreCache;
  readonly #pods = new Map<string, OnNode>();
  /** Per node, how many of its pods need what. */
  readonly #needs = new Map<string, Map<Reference, number>>();
  #following = false;

  constructor(cache: StoreCache) {
    this.#cache = cache;
  }

  /** `key` is `namespace/name`. */
  runs(node: string, key: string): boolean {
    this.#follow();
    return this.#pods.get(key)?.node === node;
  }

  /** Whether a pod on the node needs the object. */
  needs(
    node: string,
    resource: string,
    at: { readonly namespace: string; readonly name: string },
  ): boolean {
    this.#follow();
    const { namespace, name } = at;
    if (resource === "persistentvolumes") return this.#needsVolume(node, name);
    const needs = this.#needs.get(node);
    if (needs?.has(referenceTo(resource, namespace, name))) return true;
    return resource === "secrets" && this.#isSecretOfVolume(node, namespace, name);
  }

  /** A volume is needed with the claim it is bound to. */
  #needsVolume(node: string, name: string): boolean {
    const volume = this.#object("", "persistentvolumes", name);
    return volume !== undefined && this.#needsClaimOf(node, volume);
  }

  #needsClaimOf(node: string, volume: JsonObject): boolean {
    const claim = objectAt(objectAt(volume, "spec"), "claimRef");
    const at = [stringAt(claim, "namespace"), stringAt(claim, "name")] as const;
    return this.#needs.get(node)?.has(referenceTo("persistentvolumeclaims", ...at)) ?? false;
  }

  /** Secrets of CSI volumes whose claims pods on the node use. */
  #isSecretOfVolume(node: string, namespace: string, name: string): boolean {
    for (const reference of this.#needs.get(node)?.keys() ?? []) {
      if (!reference.startsWith("persistentvolumeclaims/")) continue;
      const claim = this.#object(
        "",
        "persistentvolumeclaims",
        reference.slice(reference.indexOf("/") + 1),
      );
      const volume = this.#object(
        "",
        "persistentvolumes",
        stringAt(objectAt(claim, "spec"), "volumeName"),
      );
      if (volume === undefined || !this.#needsClaimOf(node, volume)) continue;
      const csi = objectAt(objectAt(volume, "spec"), "csi");
      const secrets = volumeSecrets.map((field) => objectAt(csi, field));
      if (secrets.some((ref) => ref.namespace === namespace && ref.name === name)) return true;
    }
    return false;
  }

  /** An object that says itself which node it is for. */
  names(
    node: string,
    what: { readonly group: string; readonly resource: string; readonly name: string },
  ): boolean {
    const object = this.#object(what.group, what.resource, what.name);
    return object !== undefined && objectAt(object, "spec").nodeName === node;
  }

  #object(group: string, resource: string, key: string): JsonObject | undefined {
    const prefix = resourcePrefix({ group, resource });
    return this.#cache.resource(prefix).get(prefix + key)?.object;
  }

  #follow(): void {
    if (this.#following) return;
    this.#following = true;
    const prefix = resourcePrefix({ group: "", resource: "pods" });
    const pods = this.#cache.resource(prefix);
    const keyOf = ({ key }: StoredObject): string => key.slice(prefix.length);
    for (const stored of pods.list(prefix)) this.#set(keyOf(stored), stored.object);
    pods.watch({
      prefix,
      onChange: ({ current, previous }) => {
        const stored = current ?? previous;
        if (stored !== undefined) this.#set(keyOf(stored), current?.object);
      },
    });
  }

  #set(key: string, pod: JsonObject | undefined): void {
    const node = stringAt(objectAt(pod, "spec"), "nodeName");
    const before = this.#pods.get(key);
    const after = pod === undefined || node === "" ? undefined : { node, needs: referencesOf(pod) };
    if (before !== undefined) this.#count(before, -1);
    if (after === undefined) this.#pods.delete(key);
    else {
      this.#pods.set(key, after);
      this.#count(after, 1);
    }
  }

  #count({ node, needs }: OnNode, difference: 1 | -1): void {
    const counts = this.#needs.get(node) ?? new Map<Reference, number>();
    for (const reference of needs) {
      const count = (counts.get(reference) ?? 0) + difference;
      if (count > 0) counts.set(reference, count);
      else counts.delete(reference);
    }
    if (counts.size > 0) this.#needs.set(node, counts);
    else this.#needs.delete(node);
  }
}

interface OnNode {
  readonly node: string;
  readonly needs: readonly Reference[];
}

const volumeSecrets = ["nodePublishSecretRef", "nodeStageSecretRef", "nodeExpandSecretRef"];
