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
  /**
   * Adds an index to those given at creation. Adding the same function under the same name again is fine; another
   * function under a taken name is an error.
   */
  addIndex(name: string, valuesOf: IndexFunction<T>): void;
  /** The newest `resourceVersion` seen, from an event, a bookmark or a listing; "" before the first. */
  readonly resourceVersion: string;
  /** Resolves as soon as `condition` holds; it is asked now and after every event. Rejects with the signal's reason. */
  until(condition: () => boolean, signal: AbortSignal): Promise<void>;
  /** Resolves once everything up to that `resourceVersion` was seen. Rejects after the time and when the informer ends. */
  reached(resourceVersion: string, timeoutMs: number): Promise<void>;
  /** Resolves as soon as the condition holds for that object (undefined: there is none). Rejects as `reached` does. */
  untilObject(
    at: ObjectName,
    condition: (object: T | undefined) => boolean,
    timeoutMs: number,
  ): Promise<void>;
  /** Calls back for each change from now on, and once with "added" for each object already there. */
  onChange(listener: (change: Change<T>) => void): Disposable;
}

export type Change<T> =
  | { readonly kind: "added"; readonly object: T }
  | { readonly kind: "modified"; readonly object: T; readonly old: T }
  | { readonly kind: "deleted"; readonly object: T };

/** The values under which an index finds an object. */
export type IndexFunction<T> = (object: T) => readonly string[];
