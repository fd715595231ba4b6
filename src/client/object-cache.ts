import { keyOf, namespaceOf, type KubeObject, type ObjectName } from "#api/meta.ts";
import { invariant } from "#base/invariant.ts";
import type { IndexFunction } from "#client/informer.ts";

/** The map and the indexes of an informer. Objects are held as they came: shared, frozen, never copied. */
export class ObjectCache<T extends KubeObject> {
  readonly #objects = new Map<string, T>();
  readonly #namespaces = new Map<string, Map<string, T>>();
  readonly #indexes = new Map<string, Index<T>>();

  get size(): number {
    return this.#objects.size;
  }

  get(at: ObjectName): T | undefined {
    return this.#objects.get(at.namespace ? `${at.namespace}/${at.name}` : at.name);
  }

  list(namespace?: string): Iterable<T> {
    if (!namespace) return this.#objects.values();
    return this.#namespaces.get(namespace)?.values() ?? [];
  }

  byIndex(name: string, value: string): Iterable<T> {
    const index = this.#indexes.get(name);
    invariant(index, `there is an index "${name}"`);
    return index.entries.get(value)?.values() ?? [];
  }

  addIndex(name: string, valuesOf: IndexFunction<T>): void {
    const known = this.#indexes.get(name);
    if (known) {
      invariant(known.valuesOf === valuesOf, `index "${name}" has one function`);
      return;
    }
    const index: Index<T> = { valuesOf, entries: new Map() };
    this.#indexes.set(name, index);
    for (const object of this.#objects.values()) enter(index, keyOf(object), object);
  }

  /** Puts the object and returns the one it replaces. */
  put(object: T): T | undefined {
    const key = keyOf(object);
    const old = this.#objects.get(key);
    if (old) this.#leaveIndexes(key, old);
    this.#objects.set(key, object);
    put(this.#namespaces, namespaceOf(object), key, object);
    for (const index of this.#indexes.values()) enter(index, key, object);
    return old;
  }

  /** Removes the object and returns what was there. */
  remove(key: string): T | undefined {
    const old = this.#objects.get(key);
    if (old === undefined) return undefined;
    this.#objects.delete(key);
    take(this.#namespaces, namespaceOf(old), key);
    this.#leaveIndexes(key, old);
    return old;
  }

  keys(): Iterable<string> {
    return this.#objects.keys();
  }

  #leaveIndexes(key: string, old: T): void {
    for (const index of this.#indexes.values()) {
      for (const value of index.valuesOf(old)) take(index.entries, value, key);
    }
  }
}

interface Index<T> {
  readonly valuesOf: IndexFunction<T>;
  readonly entries: Map<string, Map<string, T>>;
}

function enter<T>(index: Index<T>, key: string, object: T): void {
  for (const value of index.valuesOf(object)) put(index.entries, value, key, object);
}

function put<T>(groups: Map<string, Map<string, T>>, group: string, ...entry: [string, T]): void {
  const members = groups.get(group);
  if (members) members.set(...entry);
  else groups.set(group, new Map([entry]));
}

function take<T>(groups: Map<string, Map<string, T>>, group: string, key: string): void {
  const members = groups.get(group);
  members?.delete(key);
  if (members?.size === 0) groups.delete(group);
}
