import type { Schema } from "#api/schema.ts";
import {
  emptySet,
  isMember,
  nodeOf,
  type FieldSet,
  type MutableFieldSet,
} from "#api/apply/field-set.ts";
import { childSchema, isDeclared } from "#api/apply/paths.ts";

/**
 * The set with every field of a struct that lies on the way to a member made a member too. Keys of maps and items of
 * lists are not: they are members only where a manager named them.
 */
export function withDeclaredParents(set: FieldSet, schema: Schema | undefined): FieldSet {
  const result: MutableFieldSet = {};
  for (const element in set) {
    const child = set[element] ?? emptySet;
    const field = element.startsWith("f:") ? element.slice(2) : undefined;
    const below =
      element === "." ? emptySet : withDeclaredParents(child, schemaBelow(schema, field));
    const member = isMember(child) || (field !== undefined && isDeclared(schema, field));
    result[element] = nodeOf(member, below);
  }
  return result;
}

function schemaBelow(schema: Schema | undefined, field: string | undefined): Schema | undefined {
  return field === undefined ? schema?.items : childSchema(schema, field);
}
