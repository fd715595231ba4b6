import type { Kind } from "#api/kind.ts";

/** The kinds that are served. Custom resources come and go while the server runs. */
export class KindRegistry {
  readonly #kinds = new Map<string, Kind>();
  /** Requests look a kind up more than once: by the resource's name there are few to compare. */
  readonly #byResource = new Map<string, readonly Kind[]>();
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
    for (const kind of this.#byResource.get(resource) ?? []) {
      if (kind.group === group && kind.version === version) return kind;
    }
    return undefined;
  }

  ofKind(group: string, version: string, kind: string): Kind | undefined {
    return this.all().find(
      (known) => known.kind === kind && known.group === group && known.version === version,
    );
  }

  add(kind: Kind): void {
    this.#generation += 1;
    this.#kinds.set(keyOf(kind.group, kind.version, kind.resource), kind);
    this.#index(kind.resource);
  }

  remove(kind: Kind): void {
    this.#generation += 1;
    this.#kinds.delete(keyOf(kind.group, kind.version, kind.resource));
    this.#index(kind.resource);
  }

  #index(resource: string): void {
    const kinds = this.all().filter((kind) => kind.resource === resource);
    if (kinds.length > 0) this.#byResource.set(resource, kinds);
    else this.#byResource.delete(resource);
  }
}

function keyOf(group: string, version: string, resource: string): string {
  return `${group}/${version}/${resource}`;
}
