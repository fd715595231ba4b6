import type { StatusCause } from "#api/generated/types.ts";
import type { JsonObject } from "#api/kind.ts";
import { isObject, objectAt, stringAt, stringsAt } from "#apiserver/objects/json.ts";

export interface ReviewRules {
  /** It asks for somebody else, whom it must name. */
  readonly ofSubject: boolean;
  /** It asks within this namespace alone. */
  readonly namespace?: string;
}

/** What is wrong with an access review, in upstream's words. */
export function reviewProblems(review: JsonObject, rules: ReviewRules): readonly StatusCause[] {
  const spec = objectAt(review, "spec");
  const { resourceAttributes, nonResourceAttributes } = spec;
  const [ofResource, ofPath] = [isObject(resourceAttributes), isObject(nonResourceAttributes)];
  const unnamed = stringAt(spec, "user") === "" && stringsAt(spec, "groups").length === 0;
  return [
    ...(ofResource && ofPath ? [invalid(pathField, nonResourceAttributes, combined)] : []),
    ...(ofResource || ofPath ? [] : [invalid("spec.resourceAttributes", null, oneNeeded)]),
    ...(rules.ofSubject && unnamed ? [invalid("spec.user", "", nobody)] : []),
    ...metadataProblems(objectAt(review, "metadata"), rules),
    ...localProblems(spec, rules),
  ];
}

const pathField = "spec.nonResourceAttributes";
const combined = "cannot be specified in combination with resourceAttributes";
const oneNeeded = "exactly one of nonResourceAttributes or resourceAttributes must be specified";
const nobody = "at least one of user or group must be specified";

function metadataProblems(metadata: JsonObject, { namespace }: ReviewRules): StatusCause[] {
  const isLocal = namespace !== undefined;
  const { managedFields: _managers, creationTimestamp: _time, ...given } = metadata;
  if (isLocal) delete given.namespace;
  if (Object.keys(given).length === 0) return [];
  return [
    invalid("metadata", metadata, isLocal ? "must be empty except for namespace" : "must be empty"),
  ];
}

function localProblems(spec: JsonObject, { namespace }: ReviewRules): StatusCause[] {
  if (namespace === undefined) return [];
  const { resourceAttributes, nonResourceAttributes } = spec;
  const asked = stringAt(objectAt(spec, "resourceAttributes"), "namespace");
  const elsewhere = isObject(resourceAttributes) && asked !== namespace;
  const field = "spec.resourceAttributes.namespace";
  return [
    ...(elsewhere ? [invalid(field, asked, "must match metadata.namespace")] : []),
    ...(isObject(nonResourceAttributes)
      ? [invalid(pathField, nonResourceAttributes, "disallowed on this kind of request")]
      : []),
  ];
}

function invalid(field: string, value: unknown, why: string): StatusCause {
  const message = `Invalid value: ${JSON.stringify(value)}: ${why}`;
  return { reason: "FieldValueInvalid", message, field };
}
