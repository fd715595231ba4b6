import type { JsonObject } from "#api/kind.ts";
import {
  validateEphemeralContainersUpdate,
  validateResize,
} from "#api/strategies/core/pod/pod-subresources.ts";
import { answerWritten, type Answer } from "#apiserver/answer.ts";
import type { Call } from "#apiserver/call.ts";
import { checkedObject, readObjectBody } from "#apiserver/content/decode.ts";
import {
  cloneJson,
  ensureObject,
  objectAt,
  objectsAt,
  setOrRemove,
  stringAt,
} from "#apiserver/objects/json.ts";
import { updateObject } from "#apiserver/objects/update.ts";
import { readPatch } from "#apiserver/verbs/read-patch.ts";

// `pods/ephemeralcontainers` and `pods/resize`: each changes one part of a pod's spec and nothing else.

export async function partUpdate(call: Call): Promise<Answer> {
  const sent = await readObjectBody(call, call.kind);
  call.kind.strategy.fillDefaults?.(sent);
  return change(call, () => sent);
}

export async function partPatch(call: Call): Promise<Answer> {
  const patch = await readPatch(call, call.kind.schema);
  return change(call, (old) => {
    const result = checkedObject(call, call.kind, { value: patch(old), findings: [] });
    call.kind.strategy.fillDefaults?.(result);
    return result;
  });
}

async function change(call: Call, next: (old: JsonObject) => JsonObject): Promise<Answer> {
  const resizing = call.info.subresource === "resize";
  const take = resizing ? takeResources : takeEphemeral;
  const written = await updateObject(call, {
    part: "raw",
    countsGeneration: true,
    validate: resizing ? validateResize : validateEphemeralContainersUpdate,
    change: ({ object: old }) => {
      const wanted = next(old);
      const object = cloneJson(old);
      take(object, wanted);
      const version = stringAt(objectAt(wanted, "metadata"), "resourceVersion");
      if (version !== "") ensureObject(object, "metadata").resourceVersion = version;
      return object;
    },
  });
  return answerWritten(written, 200);
}

/** In place: the ephemeral containers; that none is changed or removed is checked afterwards. */
function takeEphemeral(pod: JsonObject, wanted: JsonObject): void {
  const containers = objectAt(wanted, "spec").ephemeralContainers;
  setOrRemove(ensureObject(pod, "spec"), "ephemeralContainers", cloneJson(containers));
}

/** In place: the resources and resize policies of containers that are there. */
function takeResources(pod: JsonObject, wanted: JsonObject): void {
  const spec = ensureObject(pod, "spec");
  for (const field of ["containers", "initContainers"]) {
    for (const container of objectsAt(spec, field)) {
      const next = objectsAt(objectAt(wanted, "spec"), field).find(
        (one) => one.name === container.name,
      );
      if (next === undefined) continue;
      setOrRemove(container, "resources", cloneJson(next.resources));
      setOrRemove(container, "resizePolicy", cloneJson(next.resizePolicy));
    }
  }
}
