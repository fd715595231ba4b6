import type { Kind } from "#api/kind.ts";

/** The kinds that are served. Custom resources come and go while the server runs. */
export class KindRegistry {
  readonly #kinds = new Map<string, Kind>();
  #generation = 0;

  constructor(kinds: readonly Kind[]) {
    for (const kind of kinds) this.add(kind);
  }

  /** Counts changes: what was derived from the kinds is stale when it moves. */
  get generation(): number {
    return this.#generation;
  }

  all(): readonly Kind[] {
    return [...this.#kinds.values()];
  }

  find(group: string, version: string, resource: string): Kind | undefined {
    return this.#kinds.get(keyOf(group, version, resource));
  }

  ofKind(group: string, version: string, kind: string): Kind | undefined {
    return this.all().find(
      (known) => known.kind === kind && known.group === group && known.version === version,
    );
  }

  add(kind: Kind): void {
    this.#generation += 1;
    this.#kinds.set(keyOf(kind.group, kind.version, kind.resource), kind);
  }

  remove(kind: Kind): void {
    this.#generation += 1;
    this.#kinds.delete(keyOf(kind.group, kind.version, kind.resource));
  }
}

function keyOf(group: string, version: string, resource: string): string {
  return `${group}/${version}/${resource}`;
}
