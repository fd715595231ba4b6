import type { JsonObject, Kind } from "#api/kind.ts";
import { partialMetadata, tableOf, type IncludeObject } from "#api/table/table.ts";
import { badRequest } from "#api/status.ts";
import type { Call } from "#apiserver/call.ts";
import { objectAt, stringAt } from "#apiserver/objects/json.ts";
import type { ApiRequest } from "#apiserver/request.ts";
import { notAcceptable, type Form } from "#apiserver/content/accept.ts";

/** A `Status` is answered as it is, whatever form the object would have had. */
export function objectInForm(call: Call, object: JsonObject, form: Form): JsonObject {
  if (form.as === "object" || object.kind === "Status") return object;
  if (form.as !== "Table") return partialMetadata(object, form.metaVersion);
  return tableRow(call, object, { form, noHeaders: false });
}

export function tableRow(
  call: Call,
  object: JsonObject,
  { form, noHeaders }: { form: Form; noHeaders: boolean },
): JsonObject {
  const { resourceVersion } = objectAt(object, "metadata");
  return tableOf({
    kind: kindOfAnswer(call, object),
    objects: [object],
    nowMs: call.server.clock.now(),
    includeObject: isEndMark(object) ? "Metadata" : includeObject(call.request),
    listMeta: resourceVersion === undefined ? {} : { resourceVersion },
    noHeaders,
    ...(form.metaVersion && { version: form.metaVersion }),
  });
}

/** The bookmark that ends the initial events is told by its annotation, so the row keeps its metadata. */
function isEndMark(object: JsonObject): boolean {
  const annotations = objectAt(objectAt(object, "metadata"), "annotations");
  return stringAt(annotations, "k8s.io/initial-events-end") === "true";
}

/** A subresource may answer another kind than its parent's. */
function kindOfAnswer(call: Call, object: JsonObject): Pick<Kind, "columns" | "rowConditions"> {
  if (object.kind === call.kind.kind) return call.kind;
  const { group, version } = call.subresource ?? call.kind;
  const other = call.server.kinds.ofKind(group, version, stringAt(object, "kind"));
  if (other === undefined) throw notAcceptable();
  return other;
}

/** What the rows of a table carry besides their cells. */
export function includeObject(request: ApiRequest): IncludeObject {
  const asked = request.query.get("includeObject") ?? "";
  if (asked === "") return "Metadata";
  if (asked === "None" || asked === "Metadata" || asked === "Object") return asked;
  throw badRequest(`unrecognized includeObject value: ${JSON.stringify(asked)}`);
}
