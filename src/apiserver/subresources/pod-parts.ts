import type { JsonObject } from "#api/kind.ts";
import { validateResize } from "#api/strategies/core/pod/pod-resize.ts";
import { validateEphemeralContainersUpdate } from "#api/strategies/core/pod/pod-subresources.ts";
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

/**
 * In place: resources of the pod, and resources and resize policies of its containers. Where containers are others
 * or stand in another order they are taken as they are wanted, so that the check tells what is wrong with that.
 */
function takeResources(pod: JsonObject, wanted: JsonObject): void {
  const spec = ensureObject(pod, "spec");
  const next = objectAt(wanted, "spec");
  const isOther = containerFields.some(
    (field) => objectsAt(spec, field).length !== objectsAt(next, field).length,
  );
  setOrRemove(spec, "resources", cloneJson(next.resources));
  for (const field of containerFields) {
    const before = objectsAt(spec, field);
    const containers = objectsAt(next, field);
    if (isOther || containers.some(({ name }, index) => name !== before[index]?.name)) {
      setOrRemove(spec, field, cloneJson(next[field]));
      continue;
    }
    for (const [index, container] of before.entries()) {
      setOrRemove(container, "resources", cloneJson(containers[index]?.resources));
      setOrRemove(container, "resizePolicy", cloneJson(containers[index]?.resizePolicy));
    }
  }
}

const containerFields = ["containers", "initContainers"] as const;
