import type { JsonObject } from "#api/kind.ts";
import { badRequest, conflict, StatusError } from "#api/status.ts";
import { invariant } from "#base/invariant.ts";
import { admitWhole } from "#apiserver/admission/admission.ts";
import type { Answer } from "#apiserver/answer.ts";
import type { Call } from "#apiserver/call.ts";
import { readObjectBody } from "#apiserver/content/decode.ts";
import { cloneJson, ensureObject, objectAt, objectsAt, stringAt } from "#apiserver/objects/json.ts";
import { preconditionText } from "#apiserver/objects/precondition.ts";
import { updateObject } from "#apiserver/objects/update.ts";
import { setPodCondition } from "#apiserver/subresources/pod-condition.ts";

/** `pods/binding`: puts a pod on a node, once. */
export async function bind(call: Call): Promise<Answer> {
  invariant(call.subresource !== undefined, "a pod is bound through its subresource");
  const binding = await readObjectBody(call, call.subresource);
  await admitBinding(call, binding);
  return bindPod(call, binding);
}

/** The older `bindings`: the same, with the pod's name in the body. */
export async function bindByName(call: Call): Promise<Answer> {
  const binding = await readObjectBody(call, call.kind);
  const name = stringAt(objectAt(binding, "metadata"), "name");
  const pods = call.server.kinds.find("", "v1", "pods");
  if (name === "" || pods === undefined) throw badRequest("name must be provided");
  await admitBinding(call, binding);
  return bindPod({ ...call, kind: pods, info: { ...call.info, name } }, binding);
}

function admitBinding(call: Call, binding: JsonObject): Promise<void> {
  return admitWhole(call, { operation: "CREATE", object: binding, old: undefined });
}

async function bindPod(call: Call, binding: JsonObject): Promise<Answer> {
  if (stringAt(objectAt(binding, "metadata"), "name") !== call.info.name) {
    throw badRequest("name in URL does not match name in Binding object");
  }
  const target = objectAt(binding, "target");
  assertTarget(target);
  const nodeName = stringAt(target, "name");
  await updateObject(call, {
    part: "raw",
    admitted: true,
    change: ({ object: pod }) => bound(call, pod, { nodeName, binding }),
  });
  return {
    kind: "value",
    status: 201,
    value: { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 },
  };
}

/** Upstream answers these two with a 500 without a reason. */
function assertTarget(target: JsonObject): void {
  const kind = stringAt(target, "kind");
  const problems = [
    ...(kind === "" || kind === "Node"
      ? []
      : [
          `target.kind: Unsupported value: ${JSON.stringify(kind)}: supported values: "Node", "<empty>"`,
        ]),
    ...(stringAt(target, "name") === "" ? ["target.name: Required value"] : []),
  ];
  if (problems.length === 0) return;
  const message = problems.length === 1 ? problems.join("") : `[${problems.join(", ")}]`;
  throw new StatusError({ code: 500, reason: "", message });
}

interface Placing {
  readonly nodeName: string;
  readonly binding: JsonObject;
}

function bound(call: Call, pod: JsonObject, { nodeName, binding }: Placing): JsonObject {
  assertUnbound(call, pod, binding);
  const object = cloneJson(pod);
  ensureObject(object, "spec").nodeName = nodeName;
  delete ensureObject(object, "status").nominatedNodeName;
  const metadata = ensureObject(object, "metadata");
  for (const field of ["annotations", "labels"]) {
    const more = objectAt(objectAt(binding, "metadata"), field);
    if (Object.keys(more).length > 0) metadata[field] = { ...objectAt(metadata, field), ...more };
  }
  setPodCondition(object, { type: "PodScheduled", status: "True" }, call.server.clock.now());
  return object;
}

function assertUnbound(call: Call, pod: JsonObject, binding: JsonObject): void {
  const { name } = call.info;
  const metadata = objectAt(pod, "metadata");
  const spec = objectAt(pod, "spec");
  const refuse = (why: string): Error =>
    conflict({ group: "", resource: "pods/binding" }, name, why);
  for (const [field, word] of preconditions) {
    const asked = stringAt(objectAt(binding, "metadata"), field);
    const found = stringAt(metadata, field);
    if (asked === "" || asked === found) continue;
    throw conflict(call.kind, name, preconditionText(call, { word, asked, found }));
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

const preconditions = [
  ["uid", "UID"],
  ["resourceVersion", "ResourceVersion"],
] as const;
