import { parseFieldSelector, type FieldRequirement } from "#api/selector/field-selector.ts";
import { parseLabelSelector } from "#api/selector/parse-label-selector.ts";
import type { Call } from "#apiserver/call.ts";
import type { StoredObject } from "#apiserver/cache/stored-object.ts";
import { objectAt, stringAt } from "#apiserver/objects/json.ts";

/** Which objects of a collection a request asks for. */
export interface Selection {
  readonly everything: boolean;
  /** The one name that can match, where the field selector gives it. */
  readonly exactName: string | undefined;
  /** Nothing but the name is asked for. */
  readonly nameAlone: boolean;
  readonly matchesLabels: (labels: Readonly<Record<string, string>>) => boolean;
  /** `object` is in the form of the call's kind. */
  matches(object: StoredObject): boolean;
}

export function selectionOf(call: Call): Selection {
  const { query } = call.request;
  const own = call.kind.strategy.selectableFields ?? {};
  const labels = parseLabelSelector(query.get("labelSelector") ?? "");
  const fields = parseFieldSelector(query.get("fieldSelector") ?? "", new Set(Object.keys(own)));
  const named = call.info.verb === "watch" ? call.info.name : "";
  const matchesFields = (object: StoredObject): boolean =>
    fields.matches((field) => own[field]?.(object.object) ?? metadataField(object, field));
  const exactName = fields.exactValue("metadata.name") ?? (named || undefined);
  return {
    nameAlone:
      labels.matchesEverything &&
      exactName !== undefined &&
      (named === "" || named === exactName) &&
      fields.requirements.every(isNameOf(exactName)),
    everything: labels.matchesEverything && fields.matchesEverything && named === "",
    exactName,
    matchesLabels: (given) => labels.matchesEverything || labels.matches(given),
    matches: (object) =>
      (named === "" || metadataField(object, "metadata.name") === named) &&
      (labels.matchesEverything || labels.matches(object.labels)) &&
      (fields.matchesEverything || matchesFields(object)),
  };
}

function isNameOf(name: string): (requirement: FieldRequirement) => boolean {
  return ({ field, operator, value }) =>
    field === "metadata.name" && operator === "=" && value === name;
}

function metadataField(object: StoredObject, field: string): string {
  return stringAt(objectAt(object.object, "metadata"), field.slice("metadata.".length));
}
