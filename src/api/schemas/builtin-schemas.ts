import { invariant } from "#base/invariant.ts";
import type { Json } from "#api/meta.ts";
import type { Schema } from "#api/schema.ts";
import { definitionOf, isScalar, scalarTypes, shortName } from "#api/schemas/definitions.ts";
import type { Definition, Field } from "#api/schemas/definitions.ts";

/**
 * The schema of a built-in definition, named as upstream's OpenAPI names it (`io.k8s.api.core.v1.Pod`). Asking is
 * cheap: the fields are read from the table when they are first looked at, and every definition has one schema.
 */
export function schemaOf(definition: string): Schema {
  const known = schemas.get(definition);
  if (known !== undefined) return known;
  const schema = specialSchemas[shortName(definition)] ?? tableSchema(definition);
  schemas.set(definition, schema);
  return schema;
}

const schemas = new Map<string, Schema>();

const anything: Schema = { type: "any" };
const listOfStrings: Schema = { type: "array", items: { type: "string" } };
const meta = "io.k8s.apimachinery.pkg.apis.meta.v1";
const apiextensions = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1";

/** Definitions whose JSON form is not an object of fields. */
const specialSchemas: Readonly<Record<string, Schema>> = {
  Time: { type: "string", format: "date-time", name: `${meta}.Time` },
  MicroTime: { type: "string", format: "date-time", name: `${meta}.MicroTime` },
  FieldsV1: { type: "object", name: `${meta}.FieldsV1` },
  Patch: { type: "object", name: `${meta}.Patch` },
  Quantity: {
    type: "any",
    format: "quantity",
    name: "io.k8s.apimachinery.pkg.api.resource.Quantity",
  },
  IntOrString: {
    type: "any",
    format: "int-or-string",
    name: "io.k8s.apimachinery.pkg.util.intstr.IntOrString",
  },
  RawExtension: { type: "any", name: "io.k8s.apimachinery.pkg.runtime.RawExtension" },
  JSON: { type: "any", name: `${apiextensions}.JSON` },
  JSONSchemaPropsOrArray: { type: "any", name: `${apiextensions}.JSONSchemaPropsOrArray` },
  JSONSchemaPropsOrBool: { type: "any", name: `${apiextensions}.JSONSchemaPropsOrBool` },
  JSONSchemaPropsOrStringArray: {
    type: "any",
    name: `${apiextensions}.JSONSchemaPropsOrStringArray`,
  },
  ExtraValue: listOfStrings,
  Verbs: listOfStrings,
};

function tableSchema(name: string): Schema {
  const definition = definitionOf(name);
  invariant(definition !== undefined, `"${name}" is a built-in definition`);
  let properties: Readonly<Record<string, Schema>> | undefined;
  let required: readonly string[] | undefined;
  return {
    type: "object",
    name,
    ...(definition.mapType && { mapType: definition.mapType }),
    get properties() {
      properties ??= propertiesOf(definition);
      return properties;
    },
    get required() {
      required ??= requiredOf(definition);
      return required;
    },
  };
}

function propertiesOf(definition: Definition): Readonly<Record<string, Schema>> {
  const identity = definition.isObject
    ? { apiVersion: scalarSchema("string"), kind: scalarSchema("string") }
    : {};
  return Object.assign(identity, ...definition.fields.map(propertiesOfField));
}

function propertiesOfField(field: Field): Readonly<Record<string, Schema>> {
  if (field.name === "~") return schemaOf(field.type).properties ?? {};
  return { [field.name]: fieldSchema(field) };
}

function requiredOf(definition: Definition): readonly string[] {
  return definition.fields.flatMap((field) => {
    if (field.name === "~") return schemaOf(field.type).required ?? [];
    return field.required ? [field.name] : [];
  });
}

function fieldSchema(field: Field): Schema {
  const inner = isScalar(field.type) ? scalarSchema(field.type) : schemaOf(field.type);
  const facts = factsOf(field);
  if (field.holds === "list") return { type: "array", items: inner, ...facts };
  if (field.holds === "map") return { type: "object", values: inner, ...facts };
  return Object.keys(facts).length === 0 ? inner : withFacts(inner, facts);
}

/** The shared schema under this field's own facts; its fields stay unread. */
function withFacts(schema: Schema, facts: Partial<Schema>): Schema {
  return Object.defineProperties({} as Schema, {
    ...Object.getOwnPropertyDescriptors(schema),
    ...Object.getOwnPropertyDescriptors(facts),
  });
}

function factsOf(field: Field): Partial<Schema> {
  return {
    ...(field.listType && { listType: field.listType }),
    ...(field.listMapKeys && { listMapKeys: field.listMapKeys }),
    ...(field.mapType && { mapType: field.mapType }),
    ...(field.patchStrategy && { patchStrategy: field.patchStrategy }),
    ...(field.patchMergeKey && { patchMergeKey: field.patchMergeKey }),
    ...(field.default !== undefined && { default: defaultValue(field) }),
  };
}

function defaultValue(field: Field): Json {
  return field.type === "bool" ? field.default === "true" : (field.default ?? "");
}

function scalarSchema(type: string): Schema {
  return scalarTypes[type] ?? anything;
}
