import { emptySet, isEmptySet, type FieldSet, type MutableFieldSet } from "#api/apply/field-set.ts";
import { withFields, type Manager } from "#api/apply/managers.ts";
import { childSchema } from "#api/apply/paths.ts";
import type { Schema } from "#api/schema.ts";

/**
 * The managers with their sets as the schema has it today: whoever owned something inside a list or map that has
 * become atomic since owns all of it, and nothing inside. The other way nothing is done, as upstream does nothing: who
 * owned the atomic value owns the field itself. Sets of other versions stay as they are, for this is not their schema.
 */
export function reconcileManagers(
  managers: readonly Manager[],
  { schema, apiVersion }: { readonly schema: Schema; readonly apiVersion: string },
): Manager[] {
  return managers.map((one) =>
    one.apiVersion === apiVersion ? withFields(one, reconcileFields(one.fields, schema)) : one,
  );
}

/** The same set when nothing in it is of another shape by the schema. */
function reconcileFields(set: FieldSet, schema: Schema): FieldSet {
  if (isUntyped(schema)) return set;
  let result: MutableFieldSet | undefined;
  for (const element in set) {
    const child = set[element] ?? emptySet;
    const of = schemaBelow(schema, element);
    if (of === undefined || isEmptySet(child)) continue;
    const reconciled = isAtomic(of) ? emptySet : reconcileFields(child, of);
    if (reconciled === child) continue;
    result ??= { ...set } as MutableFieldSet;
    result[element] = reconciled as MutableFieldSet;
  }
  return result ?? set;
}

function schemaBelow(schema: Schema, element: string): Schema | undefined {
  if (element === ".") return undefined;
  if (schema.type === "array") return schema.items;
  return element.startsWith("f:") ? childSchema(schema, element.slice(2)) : schema.values;
}

function isAtomic(schema: Schema): boolean {
  if (isUntyped(schema)) return false;
  if (schema.type === "object") return schema.mapType === "atomic";
  return schema.type === "array" && (schema.listType ?? "atomic") === "atomic";
}

/** Values whose own form says how they are owned; upstream's sets of them never change. */
function isUntyped(schema: Schema): boolean {
  if (schema.type === "any") return true;
  return schema.preserveUnknownFields === true && schema.properties === undefined;
}
