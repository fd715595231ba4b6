import type { JsonObject } from "#api/kind.ts";
import { rfc3339 } from "#base/clock.ts";
import { createFirst, filled, internalCall } from "#apiserver/bootstrap/internal-call.ts";
import { levelsPrefix, schemasPrefix } from "#apiserver/fairness/configuration.ts";
import {
  autoUpdateAnnotation,
  defaultFlowControl,
  flowControlGroup,
  type DefaultObject,
} from "#api/strategies/flowcontrol/default-objects.ts";
import type { StoredObject } from "#apiserver/cache/stored-object.ts";
import {
  cloneJson,
  ensureObject,
  numberAt,
  objectAt,
  objectsAt,
  sameJson,
  stringAt,
} from "#apiserver/objects/json.ts";
import { persist } from "#apiserver/objects/persist.ts";
import { updateObject } from "#apiserver/objects/update.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/**
 * Makes the default flow schemas and levels and keeps them: the mandatory ones as they are, the suggested ones as
 * long as nobody has taken them over. Notes in each schema whether its level is there.
 */
export async function maintainFlowControl(state: ServerState): Promise<Disposable> {
  await reconcile(state);
  let again = false;
  let working = false;
  const work = async (): Promise<void> => {
    working = true;
    while (again && !state.stopped.aborted) {
      again = false;
      try {
        await Promise.resolve();
        await reconcile(state);
      } catch (error) {
        if (!state.stopped.aborted) state.log.error("flow control was not maintained", { error });
      }
    }
    working = false;
  };
  const begin = (): void => {
    again = true;
    if (!working) void work();
  };
  const watching = [schemasPrefix, levelsPrefix].map((prefix) =>
    state.cache.resource(prefix).watch({ prefix, onChange: begin }),
  );
  return {
    [Symbol.dispose]: () => {
      for (const one of watching) one[Symbol.dispose]();
    },
  };
}

async function reconcile(state: ServerState): Promise<void> {
  await Promise.all(defaultFlowControl().map((wanted) => ensure(state, wanted)));
  const schemas = state.cache.resource(schemasPrefix).list(schemasPrefix);
  await Promise.all(schemas.map((schema) => noteLevel(state, schema)));
}

async function ensure(state: ServerState, wanted: DefaultObject): Promise<void> {
  const prefix = wanted.resource === "flowschemas" ? schemasPrefix : levelsPrefix;
  const found = state.cache.resource(prefix).get(prefix + wanted.name)?.object;
  if (found === undefined) return createFirst(state, wanted);
  if (!wanted.mandatory && !isAutomatic(found)) return;
  const whole = filled(state, wanted);
  // What the exempt level lends and is meant to use is the administrator's.
  const exempt = objectAt(found, "spec").exempt;
  if (exempt !== undefined) ensureObject(whole, "spec").exempt = cloneJson(exempt);
  const metadata = objectAt(found, "metadata");
  const annotated = objectAt(metadata, "annotations")[autoUpdateAnnotation] === "true";
  if (sameJson(whole.spec, found.spec) && annotated) return;
  await updateObject(internalCall(state, wanted, "PUT"), {
    change: ({ object }) => {
      const next = cloneJson(object);
      const annotations = ensureObject(ensureObject(next, "metadata"), "annotations");
      annotations[autoUpdateAnnotation] = "true";
      next.spec = cloneJson(whole.spec ?? {});
      return next;
    },
  });
}

/** Without the annotation, one that nobody has changed yet. */
function isAutomatic(found: JsonObject): boolean {
  const metadata = objectAt(found, "metadata");
  const annotation = stringAt(objectAt(metadata, "annotations"), autoUpdateAnnotation);
  if (annotation !== "") return annotation === "true";
  return (numberAt(metadata, "generation") ?? 1) === 1;
}

async function noteLevel(state: ServerState, stored: StoredObject): Promise<void> {
  const spec = objectAt(stored.object, "spec");
  const level = stringAt(objectAt(spec, "priorityLevelConfiguration"), "name");
  const isThere = state.cache.resource(levelsPrefix).get(levelsPrefix + level) !== undefined;
  const named = `This FlowSchema references the PriorityLevelConfiguration object named ${JSON.stringify(level)}`;
  const [status, reason, message] = isThere
    ? ["False", "Found", `${named} and it exists`]
    : ["True", "NotFound", `${named} but there is no such object`];
  const conditions = objectsAt(objectAt(stored.object, "status"), "conditions");
  const before = conditions.find(({ type }) => type === "Dangling");
  if (before?.status === status && before.message === message) return;
  const kind = state.kinds.find(flowControlGroup, "v1", "flowschemas");
  if (kind === undefined) return;
  const object = cloneJson(stored.object);
  const lastTransitionTime = rfc3339(state.clock.now());
  ensureObject(object, "status").conditions = [
    ...conditions.filter(({ type }) => type !== "Dangling"),
    { type: "Dangling", status, lastTransitionTime, reason, message },
  ];
  await persist(state, { kind, key: stored.key, expected: stored.revision }, object);
}
