import type { JsonObject } from "#api/kind.ts";
import { badRequest, conflict } from "#api/status.ts";
import { rfc3339 } from "#base/clock.ts";
import { invariant } from "#base/invariant.ts";
import type { Answer } from "#apiserver/answer.ts";
import type { Call } from "#apiserver/call.ts";
import { readObjectBody } from "#apiserver/content/decode.ts";
import { cloneJson, ensureObject, objectAt, objectsAt, stringAt } from "#apiserver/objects/json.ts";
import { updateObject } from "#apiserver/objects/update.ts";

/** `pods/binding`: puts a pod on a node, once. */
export async function bind(call: Call): Promise<Answer> {
  invariant(call.subresource !== undefined, "a pod is bound through its subresource");
  const binding = await readObjectBody(call, call.subresource);
  return bindPod(call, binding);
}

/** The older `bindings`: the same, with the pod's name in the body. */
export async function bindByName(call: Call): Promise<Answer> {
  const binding = await readObjectBody(call, call.kind);
  const name = stringAt(objectAt(binding, "metadata"), "name");
  const pods = call.server.kinds.find("", "v1", "pods");
  if (name === "" || pods === undefined) throw badRequest("name must be provided");
  return bindPod({ ...call, kind: pods, info: { ...call.info, name } }, binding);
}

async function bindPod(call: Call, binding: JsonObject): Promise<Answer> {
  const target = objectAt(binding, "target");
  const nodeName = stringAt(target, "name");
  const kind = stringAt(target, "kind");
  if (nodeName === "" || (kind !== "" && kind !== "Node")) {
    throw badRequest('the target of a binding must be a "Node" with a name');
  }
  await updateObject(call, {
    part: "raw",
    change: ({ object: pod }) => bound(call, pod, { nodeName, binding }),
  });
  return {
    kind: "value",
    status: 201,
    value: { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 },
  };
}

interface Placing {
  readonly nodeName: string;
  readonly binding: JsonObject;
}

function bound(call: Call, pod: JsonObject, { nodeName, binding }: Placing): JsonObject {
  assertUnbound(call, pod, binding);
  const object = cloneJson(pod);
  ensureObject(object, "spec").nodeName = nodeName;
  const metadata = ensureObject(object, "metadata");
  const more = objectAt(objectAt(binding, "metadata"), "annotations");
  if (Object.keys(more).length > 0) {
    metadata.annotations = { ...objectAt(metadata, "annotations"), ...more };
  }
  const status = ensureObject(object, "status");
  const others = objectsAt(status, "conditions").filter((one) => one.type !== "PodScheduled");
  status.conditions = [
    ...others,
    {
      type: "PodScheduled",
      status: "True",
      lastTransitionTime: rfc3339(call.server.clock.now()),
    },
  ];
  return object;
}

function assertUnbound(call: Call, pod: JsonObject, binding: JsonObject): void {
  const { name } = call.info;
  const metadata = objectAt(pod, "metadata");
  const spec = objectAt(pod, "spec");
  const refuse = (why: string): Error =>
    conflict({ group: "", resource: "pods/binding" }, name, why);
  const uid = stringAt(objectAt(binding, "metadata"), "uid");
  if (uid !== "" && uid !== stringAt(metadata, "uid")) {
    throw refuse(
      `Precondition failed: UID in precondition: ${uid}, UID in object meta: ${stringAt(metadata, "uid")}`,
    );
  }
  if (stringAt(metadata, "deletionTimestamp") !== "") {
    throw refuse(`pod ${name} is being deleted, cannot be assigned to a host`);
  }
  const nodeName = stringAt(spec, "nodeName");
  if (nodeName !== "")
    throw refuse(`pod ${name} is already assigned to node ${JSON.stringify(nodeName)}`);
  if (objectsAt(spec, "schedulingGates").length > 0) {
    throw refuse(`pod ${name} has non-empty .spec.schedulingGates`);
  }
}
