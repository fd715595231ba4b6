import { dynType, listOf, stringType, structType, type Type } from "#api/cel/type.ts";
import { structOf } from "#api/cel/admission/types.ts";

/** `Object` and the objects in it, `Object.spec.template`: their fields are looked at when they are merged. */
export function objectTypeNamed(name: string): Type | undefined {
  if (name === jsonPatchType.name) return jsonPatchType;
  if (name === objectType.name) return objectType;
  return name.startsWith("Object.") ? anyFields(name) : undefined;
}

function anyFields(name: string): Type {
  return structType(name, { fieldOf: () => dynType });
}

export const objectType: Type = anyFields("Object");

const jsonPatchType = structOf("JSONPatch", {
  op: stringType,
  path: stringType,
  from: stringType,
  value: dynType,
});

export const jsonPatchesType: Type = listOf(jsonPatchType);
