import type { Kind } from "#api/kind.ts";

/** The kinds that are served. Custom resources come and go while the server runs. */
export class KindRegistry {
  readonly #kinds = new Map<string, Kind>();
  /** Requests look a kind up more than once: by the resource's name there are few to compare. */
  readonly #byResource = new Map<string, readonly Kind[]>();
  readonly #whenReplaced = new Map<Kind, Set<() => void>>();
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

  /** Calls back once when the kind is served no longer, or another definition of it takes its place. */
  whenReplaced(kind: Kind, act: () => void): Disposable {
    const acts = this.#whenReplaced.get(kind) ?? new Set();
    this.#whenReplaced.set(kind, acts);
    acts.add(act);
    return { [Symbol.dispose]: () => void acts.delete(act) };
  }

  add(kind: Kind): void {
    this.#generation += 1;
    const before = this.find(kind.group, kind.version, kind.resource);
    this.#kinds.set(keyOf(kind.group, kind.version, kind.resource), kind);
    this.#index(kind.resource);
    if (before === undefined || before === kind) return;
    if (before.edition === undefined || before.edition !== kind.edition) this.#replaced(before);
    else this.#carryOver(before, kind);
  }

  remove(kind: Kind): void {
    this.#generation += 1;
    const before = this.find(kind.group, kind.version, kind.resource);
    this.#kinds.delete(keyOf(kind.group, kind.version, kind.resource));
    this.#index(kind.resource);
    if (before !== undefined) this.#replaced(before);
  }

  /** The same definition still, in another state. */
  #carryOver(before: Kind, kind: Kind): void {
    const acts = this.#whenReplaced.get(before);
    this.#whenReplaced.delete(before);
    if (acts !== undefined) this.#whenReplaced.set(kind, acts);
  }

  #replaced(kind: Kind): void {
    const acts = this.#whenReplaced.get(kind) ?? [];
    this.#whenReplaced.delete(kind);
    for (const act of acts) act();
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
