import type { OwnerReference } from "#api/generated/types.ts";
import { uidOf, type KubeObject } from "#api/meta.ts";
import type { Resource } from "#api/resource.ts";

export const foregroundFinalizer = "foregroundDeletion";
export const orphanFinalizer = "orphan";

/** All that the collector remembers of an object. */
export interface GraphNode {
  readonly uid: string;
  readonly resource: Resource;
  readonly namespace: string;
  readonly name: string;
  readonly owners: readonly OwnerReference[];
  readonly deleting: boolean;
  /** It waits for its dependents to go first. */
  readonly foreground: boolean;
  /** It lets its dependents live on. */
  readonly orphaning: boolean;
}

/** Who owns whom, by uid, over all resources. */
export class OwnerGraph {
  readonly #nodes = new Map<string, GraphNode>();
  readonly #dependents = new Map<string, Set<string>>();

  get(uid: string): GraphNode | undefined {
    return this.#nodes.get(uid);
  }

  *dependentsOf(uid: string): Generator<GraphNode> {
    for (const dependent of this.#dependents.get(uid) ?? []) {
      const node = this.#nodes.get(dependent);
      if (node) yield node;
    }
  }

  put(resource: Resource, object: KubeObject): GraphNode {
    const node = nodeOf(resource, object);
    this.#unlink(this.#nodes.get(node.uid));
    this.#nodes.set(node.uid, node);
    for (const { uid } of node.owners) {
      const dependents = this.#dependents.get(uid) ?? new Set();
      dependents.add(node.uid);
      this.#dependents.set(uid, dependents);
    }
    return node;
  }

  remove(uid: string): void {
    this.#unlink(this.#nodes.get(uid));
    this.#nodes.delete(uid);
  }

  #unlink(node: GraphNode | undefined): void {
    for (const { uid } of node?.owners ?? []) {
      const dependents = this.#dependents.get(uid);
      dependents?.delete(node?.uid ?? "");
      if (dependents?.size === 0) this.#dependents.delete(uid);
    }
  }
}

/** What is kept of an object of a resource that nobody else in the process reads. */
export function onlyReferences<T extends KubeObject>(object: T): T {
  const { name, namespace, uid, resourceVersion } = object.metadata;
  const { ownerReferences, finalizers, deletionTimestamp } = object.metadata;
  const metadata = {
    name,
    namespace,
    uid,
    resourceVersion,
    ...(ownerReferences && { ownerReferences }),
    ...(finalizers && { finalizers }),
    ...(deletionTimestamp && { deletionTimestamp }),
  };
  const { apiVersion, kind } = object;
  return { apiVersion, kind, metadata } as T;
}

export function nodeOf(resource: Resource, object: KubeObject): GraphNode {
  const { name = "", namespace = "", finalizers = [], deletionTimestamp } = object.metadata;
  const deleting = deletionTimestamp !== undefined;
  return {
    uid: uidOf(object),
    resource,
    namespace,
    name,
    owners: object.metadata.ownerReferences ?? noOwners,
    deleting,
    foreground: deleting && finalizers.includes(foregroundFinalizer),
    orphaning: deleting && finalizers.includes(orphanFinalizer),
  };
}

const noOwners: readonly OwnerReference[] = [];
