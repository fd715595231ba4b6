import type { CustomResourceDefinition } from "#api/generated/types.ts";
import { isTrue, servedVersionsOf } from "#api/custom/custom-kinds.ts";
import type { JsonObject } from "#api/kind.ts";
import {
  builtinPriority,
  customPriority,
  type Priority,
} from "#apiserver/aggregation/priorities.ts";
import type { FirstObject } from "#apiserver/bootstrap/first-objects.ts";
import { createFirst, filled, internalCall } from "#apiserver/bootstrap/internal-call.ts";
import { resourcePrefix } from "#apiserver/cache/store-cache.ts";
import type { StoredObject } from "#apiserver/cache/stored-object.ts";
import { deleteObject } from "#apiserver/objects/delete.ts";
import { objectAt, sameJson, stringAt } from "#apiserver/objects/json.ts";
import { updateObject } from "#apiserver/objects/update.ts";
import { createNameQueue, type NameQueue } from "#apiserver/name-queue.ts";
import type { ServerState } from "#apiserver/server-state.ts";

const prefix = resourcePrefix({ group: "apiregistration.k8s.io", resource: "apiservices" });
const definitionsPrefix = resourcePrefix({
  group: "apiextensions.k8s.io",
  resource: "customresourcedefinitions",
});

/**
 * Lists what the server itself serves as `APIService` objects: the built-in group versions once at start, those of
 * definitions for as long as they are served. An object that somebody else has put in such a place stays.
 */
export async function startLocalServices(state: ServerState): Promise<Disposable> {
  const missing = builtinNames(state).filter((name) => find(state, name) === undefined);
  await Promise.all(missing.map((name) => createBuiltin(state, name)));
  return new LocalServices(state);
}

function builtinNames({ kinds }: ServerState): string[] {
  const names = kinds.all().map(({ group, version }) => `${version}.${group}`);
  return [...new Set(names)];
}

async function createBuiltin(state: ServerState, name: string): Promise<void> {
  const [group, version] = partsOf(name);
  const priority = builtinPriority(group, version);
  if (priority !== undefined) await createFirst(state, serviceOf(name, priority, "onstart"));
}

function find({ cache }: ServerState, name: string): JsonObject | undefined {
  return cache.resource(prefix).get(prefix + name)?.object;
}

class LocalServices implements Disposable {
  readonly #state: ServerState;
  readonly #watching: readonly Disposable[];
  /** The names that each definition brings. */
  readonly #wanted = new Map<string, readonly string[]>();
  readonly #queue: NameQueue;

  constructor(state: ServerState) {
    this.#state = state;
    this.#queue = createNameQueue({
      work: (name) => this.#settle(name),
      onError: (name, error) =>
        state.log.error("local API service was not registered", { name, error }),
      stopped: state.stopped,
    });
    const definitions = state.cache.resource(definitionsPrefix);
    const services = state.cache.resource(prefix);
    this.#watching = [
      definitions.watch({
        prefix: definitionsPrefix,
        onChange: ({ current, previous }) => {
          const { key = "" } = current ?? previous ?? {};
          this.#want(key, current);
        },
      }),
      services.watch({
        prefix,
        onChange: ({ current, previous }) => {
          const { key = "" } = current ?? previous ?? {};
          this.#queue.add([key.slice(prefix.length)]);
        },
      }),
    ];
    for (const stored of definitions.list(definitionsPrefix)) this.#want(stored.key, stored);
    this.#queue.add(services.list(prefix).map(({ key }) => key.slice(prefix.length)));
  }

  [Symbol.dispose](): void {
    for (const watching of this.#watching) watching[Symbol.dispose]();
    this.#queue[Symbol.dispose]();
  }

  #want(key: string, definition: StoredObject | undefined): void {
    const before = this.#wanted.get(key) ?? [];
    const names =
      definition === undefined
        ? []
        : namesOf(definition.object as unknown as CustomResourceDefinition);
    if (names.length === 0) this.#wanted.delete(key);
    else this.#wanted.set(key, names);
    this.#queue.add([...before, ...names]);
  }

  /** Makes the object be what it is to be, or not be. */
  async #settle(name: string): Promise<void> {
    const wanted = serviceOf(name, customPriority, "true");
    const found = find(this.#state, name);
    const isWanted = [...this.#wanted.values()].some((names) => names.includes(name));
    if (found === undefined) {
      if (isWanted) await createFirst(this.#state, wanted);
      return;
    }
    if (managed(found) !== "true") return;
    if (!isWanted) {
      await deleteObject(internalCall(this.#state, wanted, "DELETE"), {});
    } else if (!sameJson(found.spec, wanted.object.spec)) {
      const change = () => filled(this.#state, wanted);
      await updateObject(internalCall(this.#state, wanted, "PUT"), { change });
    }
  }
}

function namesOf(definition: CustomResourceDefinition): string[] {
  if (!isTrue(definition, "Established")) return [];
  return servedVersionsOf(definition).map(({ name }) => `${name}.${definition.spec.group}`);
}

/** `v1.apps`: the version and the group. */
function partsOf(name: string): [group: string, version: string] {
  const dot = name.indexOf(".");
  return [name.slice(dot + 1), name.slice(0, dot)];
}

const managedLabel = "kube-aggregator.kubernetes.io/automanaged";

function managed(object: JsonObject): string {
  return stringAt(objectAt(objectAt(object, "metadata"), "labels"), managedLabel);
}

function serviceOf(name: string, priority: Priority, mode: "onstart" | "true"): FirstObject {
  const [group, version] = partsOf(name);
  const object = {
    apiVersion: "apiregistration.k8s.io/v1",
    kind: "APIService",
    metadata: { name, labels: { [managedLabel]: mode } },
    spec: {
      ...(group !== "" && { group }),
      version,
      groupPriorityMinimum: priority.group,
      versionPriority: priority.version,
    },
  };
  return { group: "apiregistration.k8s.io", version: "v1", resource: "apiservices", object };
}
