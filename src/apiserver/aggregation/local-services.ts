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
import { deleteObject } from "#apiserver/objects/delete.ts";
import { objectAt, sameJson, stringAt } from "#apiserver/objects/json.ts";
import { updateObject } from "#apiserver/objects/update.ts";
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
  readonly #watching: Disposable[];
  #wanted: ReadonlySet<string> = new Set();
  #again = false;
  #working = false;

  constructor(state: ServerState) {
    this.#state = state;
    const onChange = (): void => this.#begin();
    this.#watching = [definitionsPrefix, prefix].map((watched) =>
      state.cache.resource(watched).watch({ prefix: watched, onChange }),
    );
    this.#begin();
  }

  [Symbol.dispose](): void {
    for (const watching of this.#watching) watching[Symbol.dispose]();
  }

  /** What changes while it works is looked at afterwards. */
  #begin(): void {
    this.#again = true;
    if (!this.#working) void this.#work();
  }

  async #work(): Promise<void> {
    this.#working = true;
    while (this.#again && !this.#state.stopped.aborted) {
      this.#again = false;
      try {
        await this.#reconcile();
      } catch (error) {
        this.#report(error);
      }
    }
    this.#working = false;
  }

  async #reconcile(): Promise<void> {
    await Promise.resolve();
    this.#wanted = new Set(this.#definitions().flatMap(namesOf));
    for (const name of this.#wanted) await this.#ensure(name);
    for (const stored of this.#state.cache.resource(prefix).list(prefix)) {
      const name = stored.key.slice(prefix.length);
      if (managed(stored.object) !== "true" || this.#wanted.has(name)) continue;
      const gone = serviceOf(name, customPriority, "true");
      await deleteObject(internalCall(this.#state, gone, "DELETE"), {});
    }
  }

  #definitions(): CustomResourceDefinition[] {
    return this.#state.cache
      .resource(definitionsPrefix)
      .list(definitionsPrefix)
      .map((stored) => stored.object as unknown as CustomResourceDefinition);
  }

  async #ensure(name: string): Promise<void> {
    const wanted = serviceOf(name, customPriority, "true");
    const found = find(this.#state, name);
    if (found === undefined) return createFirst(this.#state, wanted);
    if (managed(found) !== "true" || sameJson(found.spec, wanted.object.spec)) return;
    await updateObject(internalCall(this.#state, wanted, "PUT"), {
      change: () => filled(this.#state, wanted),
    });
  }

  #report(error: unknown): void {
    if (this.#state.stopped.aborted) return;
    this.#state.log.error("local API services were not registered", { error });
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
