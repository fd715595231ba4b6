import { invariant } from "#base/invariant.ts";
import type { ObjectMeta } from "#api/generated/types.ts";

/** A JSON value as a request body or a stored object holds it. */
export type Json = null | boolean | number | string | Json[] | { [field: string]: Json };

/** What every Kubernetes object has. Objects that come from a cache are frozen and shared. */
export interface KubeObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: ObjectMeta;
}

/** A deep mutable form, for code that builds or fills in an object it owns. */
export type Draft<T> = T extends readonly (infer Item)[]
  ? Draft<Item>[]
  : T extends object
    ? { -readonly [Field in keyof T]: Draft<T[Field]> }
    : T;

/** Where an object is: its name, and its namespace unless its kind is cluster-scoped. */
export interface ObjectName {
  readonly name: string;
  readonly namespace?: string;
}

export function nameOf(object: { readonly metadata: ObjectMeta }): string {
  invariant(object.metadata.name !== undefined, "a stored object has a name");
  return object.metadata.name;
}

/** The namespace, or "" for a cluster-scoped object. */
export function namespaceOf(object: { readonly metadata: ObjectMeta }): string {
  return object.metadata.namespace ?? "";
}

export function uidOf(object: { readonly metadata: ObjectMeta }): string {
  invariant(object.metadata.uid !== undefined, "a stored object has a uid");
  return object.metadata.uid;
}

/** `namespace/name`, or `name` for a cluster-scoped object: the key of caches and queues. */
export function keyOf(object: { readonly metadata: ObjectMeta }): string {
  const namespace = namespaceOf(object);
  return namespace === "" ? nameOf(object) : `${namespace}/${nameOf(object)}`;
}

/** Where the object stands: without a namespace when it is of none. */
export function placeOf(object: { readonly metadata: ObjectMeta }): ObjectName {
  return parseKey(keyOf(object));
}

export function parseKey(key: string): ObjectName {
  const slash = key.indexOf("/");
  return slash < 0 ? { name: key } : { namespace: key.slice(0, slash), name: key.slice(slash + 1) };
}
