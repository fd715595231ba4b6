import {
  boolType,
  bytesType,
  doubleType,
  durationType,
  dynType,
  intType,
  listOf,
  mapOf,
  stringType,
  structType,
  timestampType,
  type Type,
} from "#api/cel/type.ts";
import { escapeName } from "#api/custom/rules/escape-name.ts";
import type { Schema } from "#api/schema.ts";

/** What a kind's schema declares, for checking expressions about its objects. Its fields are read when looked at. */
export function typeOfSchema(schema: Schema, name: string): Type {
  if (schema.format === "int-or-string") return dynType;
  if (schema.format === "quantity") return stringType;
  switch (schema.type) {
    case "object":
      return objectTypeOf(schema, name);
    case "array":
      return schema.items === undefined
        ? dynType
        : listOf(typeOfSchema(schema.items, `${name}.@idx`));
    case "string":
      return textTypes[schema.format ?? ""] ?? stringType;
    case "boolean":
      return boolType;
    case "integer":
      return intType;
    case "number":
      return doubleType;
    case "any":
      return dynType;
  }
}

const textTypes: Readonly<Record<string, Type>> = {
  byte: bytesType,
  date: timestampType,
  "date-time": timestampType,
  duration: durationType,
};

function objectTypeOf(schema: Schema, name: string): Type {
  const { properties, values } = schema;
  if (values !== undefined) return mapOf(stringType, typeOfSchema(values, `${name}.@elem`));
  if (properties === undefined) return dynType;
  let escaped: ReadonlyMap<string, string> | undefined;
  return structType(schema.name ?? name, {
    fieldOf: (field) => {
      escaped ??= escapedNames(properties);
      const own = escaped.get(field) ?? field;
      const inner = Object.hasOwn(properties, own) ? properties[own] : undefined;
      return inner && typeOfSchema(inner, `${name}.${own}`);
    },
  });
}

/** Only those that an expression writes otherwise than they are. */
function escapedNames(properties: Readonly<Record<string, Schema>>): ReadonlyMap<string, string> {
  const names = new Map<string, string>();
  for (const name of Object.keys(properties)) {
    const escaped = escapeName(name);
    if (escaped !== undefined && escaped !== name) names.set(escaped, name);
  }
  return names;
}
