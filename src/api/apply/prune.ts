import type { JsonObject } from "#api/patch/json-object.ts";
import type { Schema } from "#api/schema.ts";
import { withDeclaredParents } from "#api/apply/declared-parents.ts";
import {
  differenceOf,
  emptySet,
  intersectionOf,
  isEmptySet,
  unionOf,
  type FieldSet,
} from "#api/apply/field-set.ts";
import { fieldsOf } from "#api/apply/fields-of.ts";
import { removeFields } from "#api/apply/merge.ts";

/**
 * The merged object without what its manager applied before (`previous`), does not any more, and nobody owns
 * (`managed`: what all managers own now). Upstream's three steps: all that was applied before goes, with all that is
 * in it; what somebody owns comes back; what was not applied before comes back too. So a list that only its owner's
 * name would keep, empty, goes with its last item.
 */
export function prune(
  merged: JsonObject,
  previous: FieldSet | undefined,
  { managed, schema }: { readonly managed: readonly FieldSet[]; readonly schema: Schema },
): JsonObject {
  if (previous === undefined) return merged;
  const before = withDeclaredParents(previous, schema);
  const owned = managed
    .map((fields) => withDeclaredParents(fields, schema))
    .reduce(unionOf, emptySet);
  if (isEmptySet(differenceOf(before, owned))) return merged;
  const all = namedIn(merged, schema);
  const left = namedIn(removeFields(merged, before, schema), schema);
  const unowned = differenceOf(differenceOf(all, left), owned);
  const kept = namedIn(removeFields(merged, unowned, schema), schema);
  return removeFields(merged, intersectionOf(differenceOf(all, kept), before), schema);
}

function namedIn(object: JsonObject, schema: Schema): FieldSet {
  return withDeclaredParents(fieldsOf(object, schema).fields, schema);
}
