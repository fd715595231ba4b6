import type {
  CustomResourceDefinition,
  CustomResourceDefinitionNames,
} from "#api/generated/types.ts";
import { customKindsOf, isTrue, storageKindOf } from "#api/custom/custom-kinds.ts";
import { planStatus, withCondition } from "#api/custom/plan-status.ts";
import type { JsonObject, Kind } from "#api/kind.ts";
import type { Change } from "#apiserver/cache/resource-cache.ts";
import { resourcePrefix } from "#apiserver/cache/store-cache.ts";
import type { StoredObject } from "#apiserver/cache/stored-object.ts";
import { deleteInstances } from "#apiserver/custom/delete-instances.ts";
import { cleanupFinalizer } from "#apiserver/custom/definition-hook.ts";
import { createNameQueue, type NameQueue } from "#apiserver/name-queue.ts";
import { cloneJson, sameJson } from "#apiserver/objects/json.ts";
import { persist, unpersist, type Place } from "#apiserver/objects/persist.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/**
 * Serves the kinds that stored definitions bring, from the write on that establishes them, and does for definitions
 * what upstream's controllers do: accepts names, sets conditions, deletes the objects of a definition that goes.
 */
export function startCustomResources(state: ServerState): Disposable {
  return new CustomResources(state);
}

const definitions = { group: "apiextensions.k8s.io", resource: "customresourcedefinitions" };
const definitionsPrefix = resourcePrefix(definitions);

interface Served {
  /** Changes with everything the kinds are made of. */
  readonly origin: string;
  readonly kinds: readonly Kind[];
}

class CustomResources implements Disposable {
  readonly #state: ServerState;
  /** The names of built-in kinds, which no definition can take. */
  readonly #builtin: ReadonlyMap<string, readonly CustomResourceDefinitionNames[]>;
  readonly #served = new Map<string, Served>();
  readonly #queue: NameQueue;
  readonly #opened = new Map<string, Disposable>();

  constructor(state: ServerState) {
    this.#state = state;
    this.#queue = createNameQueue({
      work: (name) => this.#reconcile(name),
      onError: (name, error) => this.#retry(name, error),
      stopped: state.stopped,
    });
    this.#builtin = builtinNames(state.kinds.all());
    const resource = state.cache.resource(definitionsPrefix);
    const onChange = (change: Change): void => this.#onChange(change);
    this.#opened.set("", resource.watch({ prefix: definitionsPrefix, onChange }));
    for (const stored of resource.list(definitionsPrefix)) this.#take(stored);
  }

  [Symbol.dispose](): void {
    for (const open of this.#opened.values()) open[Symbol.dispose]();
    this.#opened.clear();
    this.#queue[Symbol.dispose]();
  }

  #onChange({ current, previous }: Change): void {
    if (current !== undefined) return this.#take(current);
    if (previous === undefined) return;
    const name = nameOf(previous);
    this.#serve(name, { origin: "", kinds: [] });
    this.#served.delete(name);
    this.#reconsiderGroup(name);
  }

  /** Serves what the definition brings, then and there, so that nobody sees it established before. */
  #take(stored: StoredObject): void {
    const name = nameOf(stored);
    try {
      const definition = definitionOf(stored);
      const origin = originOf(definition);
      if (this.#served.get(name)?.origin !== origin) {
        const kinds = isTrue(definition, "Established") ? customKindsOf(definition) : [];
        this.#serve(name, { origin, kinds });
      }
    } catch (error) {
      this.#state.log.error("custom resource definition cannot be served", { name, error });
    }
    this.#queue.add([name]);
  }

  #serve(name: string, next: Served): void {
    const { kinds } = this.#state;
    for (const kind of this.#served.get(name)?.kinds ?? []) {
      if (!next.kinds.some((other) => isSamePlace(kind, other))) kinds.remove(kind);
    }
    for (const kind of next.kinds) kinds.add(kind);
    this.#served.set(name, next);
  }

  #retry(name: string, error: unknown): void {
    const { log, clock, stopped } = this.#state;
    log.error("custom resource definition was not reconciled", { name, error });
    clock.after(retryMs, () => {
      if (!stopped.aborted) this.#queue.add([name]);
    });
  }

  async #reconcile(name: string): Promise<void> {
    const stored = this.#state.cache.resource(definitionsPrefix).get(definitionsPrefix + name);
    if (stored === undefined) return;
    const definition = definitionOf(stored);
    if (definition.metadata.deletionTimestamp !== undefined) {
      return this.#cleanUp(stored, definition);
    }
    const status = planStatus(definition, this.#othersOf(definition), this.#state.clock.now());
    if (sameJson(status, definition.status)) return;
    await this.#replace(stored, { ...definition, status });
    if (!sameJson(status.acceptedNames, definition.status?.acceptedNames)) {
      this.#reconsiderGroup(name);
    }
  }

  #othersOf({ spec, metadata }: CustomResourceDefinition): CustomResourceDefinitionNames[] {
    const others = this.#all().filter(
      (other) => other.spec.group === spec.group && other.metadata.name !== metadata.name,
    );
    const accepted = others.flatMap((other) => other.status?.acceptedNames ?? []);
    return [...(this.#builtin.get(spec.group) ?? []), ...accepted];
  }

  #all(): CustomResourceDefinition[] {
    return this.#state.cache.resource(definitionsPrefix).list(definitionsPrefix).map(definitionOf);
  }

  /** Names may have come free. */
  #reconsiderGroup(name: string): void {
    const group = name.slice(name.indexOf(".") + 1);
    for (const { metadata, spec } of this.#all()) {
      if (spec.group === group && metadata.name !== name) this.#queue.add([metadata.name ?? ""]);
    }
  }

  async #cleanUp(stored: StoredObject, definition: CustomResourceDefinition): Promise<void> {
    if (!definition.metadata.finalizers?.includes(cleanupFinalizer)) {
      if (!isCleanedUp(definition)) await this.#finish(stored, definition);
      return;
    }
    const kind = storageKindOf(definition);
    await this.#state.cache.current();
    const instances = this.#state.cache.resource(resourcePrefix(kind.stored));
    if (instances.size > 0) await deleteInstances(this.#state, kind);
    if (instances.size === 0) return this.#finish(stored, definition);
    this.#awaitEmpty(nameOf(stored), kind);
    await this.#replace(stored, terminatingWith(definition, inProgress, this.#state.clock.now()));
  }

  #awaitEmpty(name: string, kind: Kind): void {
    if (this.#opened.has(name)) return;
    const prefix = resourcePrefix(kind.stored);
    const instances = this.#state.cache.resource(prefix);
    const onChange = (): void => {
      if (instances.size === 0) this.#queue.add([name]);
    };
    this.#opened.set(name, instances.watch({ prefix, onChange }));
  }

  async #finish(stored: StoredObject, definition: CustomResourceDefinition): Promise<void> {
    const name = nameOf(stored);
    this.#opened.get(name)?.[Symbol.dispose]();
    this.#opened.delete(name);
    const finalizers = (definition.metadata.finalizers ?? []).filter(
      (finalizer) => finalizer !== cleanupFinalizer,
    );
    const last = terminatingWith(definition, completed, this.#state.clock.now());
    if (finalizers.length > 0) {
      const metadata = { ...last.metadata, finalizers };
      return this.#replace(stored, { ...last, metadata });
    }
    await unpersist(this.#state, this.#placeOf(stored), stored);
  }

  /** When somebody else was faster, the event of that write brings us here again. */
  async #replace(stored: StoredObject, definition: CustomResourceDefinition): Promise<void> {
    const object = cloneJson(definition) as unknown as JsonObject;
    if (sameJson(object, stored.object)) return;
    await persist(this.#state, this.#placeOf(stored), object);
  }

  #placeOf(stored: StoredObject): Place {
    const kind = this.#state.kinds.find(definitions.group, "v1", definitions.resource);
    if (kind === undefined) throw new Error("the kind of definitions is served");
    return { kind, key: stored.key, expected: stored.revision };
  }
}

const retryMs = 1_000;

interface Progress {
  readonly status: "True" | "False";
  readonly reason: string;
  readonly message: string;
}

const inProgress: Progress = {
  status: "True",
  reason: "InstanceDeletionInProgress",
  message: "CustomResource deletion is in progress",
};

const completed: Progress = {
  status: "False",
  reason: "InstanceDeletionCompleted",
  message: "removed all instances",
};

function terminatingWith(
  definition: CustomResourceDefinition,
  progress: Progress,
  nowMs: number,
): CustomResourceDefinition {
  const before = definition.status?.conditions ?? [];
  const conditions = withCondition(before, { type: "Terminating", ...progress }, nowMs);
  return { ...definition, status: { ...definition.status, conditions } };
}

function isCleanedUp(definition: CustomResourceDefinition): boolean {
  const conditions = definition.status?.conditions ?? [];
  return conditions.some((condition) => condition.reason === completed.reason);
}

function definitionOf(stored: StoredObject): CustomResourceDefinition {
  return stored.object as unknown as CustomResourceDefinition;
}

function nameOf(stored: StoredObject): string {
  return stored.key.slice(definitionsPrefix.length);
}

function originOf(definition: CustomResourceDefinition): string {
  const { uid, generation } = definition.metadata;
  const flags = [isTrue(definition, "Established"), isTrue(definition, "Terminating")];
  return JSON.stringify([uid, generation, flags, definition.status?.acceptedNames]);
}

function isSamePlace(a: Kind, b: Kind): boolean {
  return a.group === b.group && a.version === b.version && a.resource === b.resource;
}

function builtinNames(
  kinds: readonly Kind[],
): ReadonlyMap<string, readonly CustomResourceDefinitionNames[]> {
  const byGroup = new Map<string, CustomResourceDefinitionNames[]>();
  for (const { group, resource, singular, kind, shortNames } of kinds) {
    const names = { plural: resource, singular, kind, listKind: `${kind}List`, shortNames };
    byGroup.set(group, [...(byGroup.get(group) ?? []), names]);
  }
  return byGroup;
}
