import type { JsonObject, Kind } from "#api/kind.ts";
import { at, number, text } from "#api/kinds/columns/cells.ts";
import type { Json } from "#api/meta.ts";
import { invalid } from "#api/status.ts";
import { invariant } from "#base/invariant.ts";
import { admit, assertAdmitted } from "#apiserver/admission/admission.ts";
import type { Answer } from "#apiserver/answer.ts";
import { contentOf } from "#apiserver/answer.ts";
import type { Call } from "#apiserver/call.ts";
import { checkedObject, readObjectBody } from "#apiserver/content/decode.ts";
import {
  cloneJson,
  ensureObject,
  isObject,
  numberAt,
  objectAt,
  objectsAt,
  stringAt,
  stringsAt,
} from "#apiserver/objects/json.ts";
import { readObject } from "#apiserver/objects/read.ts";
import { updateObject } from "#apiserver/objects/update.ts";
import { readPatch } from "#apiserver/verbs/read-patch.ts";

// `…/scale`: the number of replicas of a workload as an `autoscaling/v1 Scale`.

export async function getScale(call: Call): Promise<Answer> {
  return { kind: "value", status: 200, value: scaleOf(call.kind, (await readObject(call)).object) };
}

export async function updateScale(call: Call): Promise<Answer> {
  const sent = await readObjectBody(call, scaleKind(call));
  return rescale(call, () => sent);
}

export async function patchScale(call: Call): Promise<Answer> {
  const kind = scaleKind(call);
  const patch = await readPatch(call, kind.schema);
  return rescale(call, (scale) => checkedObject(call, kind, { value: patch(scale), findings: [] }));
}

function scaleKind(call: Call) {
  invariant(call.subresource !== undefined, "scale is a subresource");
  return call.subresource;
}

async function rescale(call: Call, next: (scale: JsonObject) => JsonObject): Promise<Answer> {
  const written = await updateObject(call, {
    admitted: true,
    change: async ({ object: old }) => {
      const before = scaleOf(call.kind, old);
      const scale = cloneJson(next(before));
      const attempt = { operation: "UPDATE", object: scale, old: before } as const;
      await admit(call, attempt);
      const object = rescaled(call, old, scale);
      await assertAdmitted(call, attempt);
      return object;
    },
  });
  return { kind: "value", status: 200, value: scaleOf(call.kind, contentOf(written)) };
}

function rescaled(call: Call, old: JsonObject, scale: JsonObject): JsonObject {
  const replicas = numberAt(objectAt(scale, "spec"), "replicas") ?? 0;
  if (replicas < 0) {
    throw invalid({ group: "autoscaling", kind: "Scale" }, call.info.name, [
      {
        reason: "FieldValueInvalid",
        message: `Invalid value: ${replicas}: must be greater than or equal to 0`,
        field: "spec.replicas",
      },
    ]);
  }
  const object = cloneJson(old);
  setReplicas(call.kind, object, replicas);
  const metadata = ensureObject(object, "metadata");
  const sent = objectAt(scale, "metadata");
  for (const field of ["resourceVersion", "uid"]) {
    if (stringAt(sent, field) !== "") metadata[field] = stringAt(sent, field);
  }
  return object;
}

function setReplicas({ scale }: Kind, object: JsonObject, replicas: number): void {
  const path = scale?.specReplicas ?? ["spec", "replicas"];
  const holder = path.slice(0, -1).reduce(ensureObject, object);
  holder[path.at(-1) ?? ""] = replicas;
}

function scaleOf({ scale }: Kind, workload: JsonObject): JsonObject {
  const metadata = objectAt(workload, "metadata");
  const kept = ["name", "namespace", "uid", "resourceVersion", "creationTimestamp"];
  const selector = scale
    ? text(workload, ...(scale.labelSelector ?? [""]))
    : selectorText(at(workload, "spec", "selector"));
  return {
    kind: "Scale",
    apiVersion: "autoscaling/v1",
    metadata: Object.fromEntries(
      kept.flatMap((field) => {
        const value = metadata[field];
        return value === undefined ? [] : [[field, value]];
      }),
    ),
    spec: { replicas: number(workload, ...(scale?.specReplicas ?? ["spec", "replicas"])) },
    status: {
      replicas: number(workload, ...(scale?.statusReplicas ?? ["status", "replicas"])),
      ...(selector !== "" && { selector }),
    },
  };
}

/** The text form of a selector: of a `LabelSelector`, or of the plain map of a replication controller. */
function selectorText(selector: Json | undefined): string {
  if (!isObject(selector)) return "";
  const isPlain = !("matchLabels" in selector) && !("matchExpressions" in selector);
  const labels = isPlain ? selector : objectAt(selector, "matchLabels");
  const equal = Object.keys(labels).map((key) => [key, `${key}=${stringAt(labels, key)}`] as const);
  const expressions = objectsAt(selector, "matchExpressions").map(
    (one) => [stringAt(one, "key"), expressionText(one)] as const,
  );
  const all = [...equal, ...expressions].toSorted(([a], [b]) => (a < b ? -1 : Number(a > b)));
  return all.map(([, text]) => text).join(",");
}

function expressionText(expression: JsonObject): string {
  const key = stringAt(expression, "key");
  const values = stringsAt(expression, "values").toSorted().join(",");
  switch (expression.operator) {
    case "In":
      return `${key} in (${values})`;
    case "NotIn":
      return `${key} notin (${values})`;
    case "DoesNotExist":
      return `!${key}`;
    default:
      return key;
  }
}
