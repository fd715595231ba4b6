import type { KubeObject } from "#api/meta.ts";

/**
 * Who waits for an informer to show something. Those who wait for a version or for one object are looked at only when
 * that comes, so that thousands may wait at a time.
 */
export class Waiters<T extends KubeObject> {
  /** By version, rising: writes of one process are answered nearly in order. */
  readonly #versions: VersionWaiter[] = [];
  readonly #objects = new Map<string, Set<ObjectWaiter<T>>>();
  readonly #conditions = new Set<() => void>();

  /** The function returned forgets the waiter. */
  forVersion(version: number, resolve: () => void): () => void {
    const waiter: VersionWaiter = { version, resolve };
    let at = this.#versions.length;
    while (at > 0 && (this.#versions[at - 1]?.version ?? 0) > version) at--;
    this.#versions.splice(at, 0, waiter);
    return () => {
      const index = this.#versions.indexOf(waiter);
      if (index >= 0) this.#versions.splice(index, 1);
    };
  }

  forObject(key: string, waiter: ObjectWaiter<T>): () => void {
    const waiters = this.#objects.get(key) ?? new Set();
    this.#objects.set(key, waiters.add(waiter));
    return () => {
      waiters.delete(waiter);
      if (waiters.size === 0) this.#objects.delete(key);
    };
  }

  forCondition(check: () => void): () => void {
    this.#conditions.add(check);
    return () => void this.#conditions.delete(check);
  }

  /** To be called when an object changed; undefined: it is gone. */
  objectChanged(key: string, object: T | undefined): void {
    for (const waiter of this.#objects.get(key) ?? []) waiter(object);
  }

  /** To be called after every event. */
  versionReached(version: number): void {
    let count = 0;
    while ((this.#versions[count]?.version ?? Infinity) <= version) count++;
    if (count > 0) for (const { resolve } of this.#versions.splice(0, count)) resolve();
    for (const check of this.#conditions) check();
  }
}

type ObjectWaiter<T> = (object: T | undefined) => void;

interface VersionWaiter {
  readonly version: number;
  readonly resolve: () => void;
}
