import type { KubeObject, ObjectName } from "#api/meta.ts";

/** What is known of one resource, kept current by a watch. Objects are frozen and shared: never change them. */
export interface Informer<T extends KubeObject> {
  /** Resolves once the first listing is complete. */
  readonly synced: Promise<void>;
  get(at: ObjectName): T | undefined;
  /** All objects, or those of one namespace. */
  list(namespace?: string): Iterable<T>;
  /** Objects whose index function (given at creation) returned `value`. */
  byIndex(index: string, value: string): Iterable<T>;
  /** Calls back for each change from now on, and once with "added" for each object already there. */
  onChange(listener: (change: Change<T>) => void): Disposable;
}

export type Change<T> =
  | { readonly kind: "added"; readonly object: T }
  | { readonly kind: "modified"; readonly object: T; readonly old: T }
  | { readonly kind: "deleted"; readonly object: T };
