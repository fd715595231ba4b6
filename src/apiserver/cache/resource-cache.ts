import { prefixRange } from "#storage/store.ts";
import type { StoreEvent } from "#storage/store.ts";
import { fromStoredBytes, type StoredObject } from "#apiserver/cache/stored-object.ts";

/** One write to one object, as watchers get it. */
export interface Change {
  readonly revision: number;
  /** Undefined when the object was deleted. */
  readonly current: StoredObject | undefined;
  /** Undefined when the object was created. */
  readonly previous: StoredObject | undefined;
  /** The last content at the revision of this change: what watchers see who lose sight of the object. */
  readonly gone: () => StoredObject;
}

export interface Watching {
  /** Changes of keys with this prefix are told. */
  readonly prefix: string;
  /** Called within the write; must be quick and must not throw. */
  readonly onChange: (change: Change) => void;
}

/** All objects of one stored resource, in key order, and their latest changes. */
export class ResourceCache {
  readonly prefix: string;
  readonly #objects = new Map<string, StoredObject>();
  /** Sorted; the same objects as in the map. */
  readonly #ordered: StoredObject[] = [];
  #bytes = 0;
  readonly #watching = new Map<string, Set<Watching>>();
  readonly #history: Change[] = [];
  /** Changes after this revision are all in the history. */
  #historyStart: number;

  constructor(prefix: string, historyStart: number) {
    this.prefix = prefix;
    this.#historyStart = historyStart;
  }

  get size(): number {
    return this.#objects.size;
  }

  /** Of all objects together. */
  get bytes(): number {
    return this.#bytes;
  }

  get(key: string): StoredObject | undefined {
    return this.#objects.get(key);
  }

  /** The objects whose keys begin with `prefix`, in key order: a copy that stays as it is. */
  list(prefix: string): readonly StoredObject[] {
    if (prefix === this.prefix) return this.#ordered.slice();
    return this.#ordered.slice(this.#position(prefix), this.#position(prefixRange(prefix).end));
  }

  /** The changes after `revision`, or undefined when some of them are forgotten. */
  changesAfter(revision: number): readonly Change[] | undefined {
    if (revision < this.#historyStart) return undefined;
    return this.#history.slice(this.#firstAfter(revision));
  }

  get historyStart(): number {
    return this.#historyStart;
  }

  watch(watching: Watching): Disposable {
    const group = this.#watching.get(watching.prefix) ?? new Set();
    group.add(watching);
    this.#watching.set(watching.prefix, group);
    return {
      [Symbol.dispose]: () => {
        group.delete(watching);
        if (group.size === 0) this.#watching.delete(watching.prefix);
      },
    };
  }

  /** Takes an object in without telling anybody: for loading. Keys come in order. */
  load(object: StoredObject): void {
    this.#objects.set(object.key, object);
    this.#bytes += object.bytes.length;
    this.#ordered.push(object);
  }

  apply(event: StoreEvent): void {
    const previous = this.#objects.get(event.key);
    if (event.kind === "put") this.#put(fromStoredBytes(event), previous);
    else this.#remove(event.key, event.revision);
  }

  #put(object: StoredObject, previous: StoredObject | undefined): void {
    this.#objects.set(object.key, object);
    this.#bytes += object.bytes.length - (previous?.bytes.length ?? 0);
    const position = this.#position(object.key);
    this.#ordered.splice(position, previous === undefined ? 0 : 1, object);
    this.#tell(object.key, changeOf(object.revision, object, previous));
  }

  #remove(key: string, revision: number): void {
    const previous = this.#objects.get(key);
    if (previous === undefined) return;
    this.#objects.delete(key);
    this.#bytes -= previous.bytes.length;
    this.#ordered.splice(this.#position(key), 1);
    this.#tell(key, changeOf(revision, undefined, previous));
  }

  #tell(key: string, change: Change): void {
    this.#remember(change);
    for (const prefix of scopesOf(key, this.prefix)) {
      for (const watching of this.#watching.get(prefix) ?? []) watching.onChange(change);
    }
  }

  #remember(change: Change): void {
    this.#history.push(change);
    if (this.#history.length <= historyMax + historySlack) return;
    const dropped = this.#history.splice(0, this.#history.length - historyMax);
    this.#historyStart = dropped.at(-1)?.revision ?? this.#historyStart;
  }

  /** The place in the history of the first change after `revision`. */
  #firstAfter(revision: number): number {
    let low = 0;
    let high = this.#history.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#history[middle]?.revision ?? 0) <= revision) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** The index of the first object whose key is not before `key`. */
  #position(key: string): number {
    let low = 0;
    let high = this.#ordered.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if ((this.#ordered[middle]?.key ?? "") < key) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** How many changes of one resource a watch can reach back; older ones answer 410 and the client lists again. */
const historyMax = 2_048;
/** Dropping happens in one go, so that a write does not move the whole history. */
const historySlack = 512;

/** The prefixes that a watch of this key may have: the resource, the namespace, the object. */
function* scopesOf(key: string, resourcePrefix: string): Generator<string> {
  yield resourcePrefix;
  const slash = key.indexOf("/", resourcePrefix.length);
  if (slash > 0) yield key.slice(0, slash + 1);
  yield key;
}

/** One write as a change; `current` or `previous` is there. */
export function changeOf(
  revision: number,
  current: StoredObject | undefined,
  previous: StoredObject | undefined,
): Change {
  let gone: StoredObject | undefined;
  return {
    revision,
    current,
    previous,
    gone: () => {
      gone ??= (previous ?? current)?.at(revision);
      if (gone === undefined) throw new Error("a change has an object");
      return gone;
    },
  };
}
