import { invariant } from "#base/invariant.ts";
import type { JsonObject } from "#api/kind.ts";
import { definitionOf, isScalar, scalarTypes, shortName } from "#api/schemas/definitions.ts";
import type { Definition, Field } from "#api/schemas/definitions.ts";

/** What a definition, or a field of it, is for. */
export type Describe = (definition: string, field?: string) => string | undefined;

export const componentsRoot = "#/components/schemas/";

/** The OpenAPI 3 schema of a built-in definition, with the `x-kubernetes-…` extensions that clients read. */
export function componentOf(name: string, describe: Describe): JsonObject {
  const description = describe(name) ?? specialDescriptions[name.slice(name.lastIndexOf(".") + 1)];
  const special = specialComponents[name.slice(name.lastIndexOf(".") + 1)];
  if (special !== undefined)
    return { ...(description !== undefined && { description }), ...special };
  const definition = definitionOf(name);
  invariant(definition !== undefined, `"${name}" is a built-in definition`);
  const required = requiredOf(definition);
  const properties = propertiesOf(definition, (field, type) => {
    return describe(name, field) ?? firstSentence(type === undefined ? undefined : describe(type));
  });
  return {
    ...(description !== undefined && { description }),
    type: "object",
    ...(required.length > 0 && { required }),
    ...(Object.keys(properties).length > 0 && { properties }),
    ...(definition.mapType && { "x-kubernetes-map-type": definition.mapType }),
  };
}

/** Adds to `found` what a definition refers to, directly or not, itself included. */
export function collectReferences(name: string, found: Set<string>): void {
  if (found.has(name)) return;
  const definition = definitionOf(name);
  if (!isInlinedOnly(definition)) found.add(name);
  for (const field of definition?.fields ?? []) {
    if (isScalar(field.type) || listsOfTexts.has(shortName(field.type))) continue;
    collectReferences(field.type, found);
  }
}

/** The definitions whose JSON form is no object of fields, as OpenAPI 3 words them. */
const specialComponents: Readonly<Record<string, JsonObject>> = {
  Time: { type: "string", format: "date-time" },
  MicroTime: { type: "string", format: "date-time" },
  FieldsV1: { type: "object" },
  Patch: { type: "object" },
  Quantity: { oneOf: [{ type: "string" }, { type: "number" }] },
  IntOrString: { format: "int-or-string", oneOf: [{ type: "integer" }, { type: "string" }] },
  RawExtension: { type: "object" },
  JSON: {},
  JSONSchemaPropsOrArray: {},
  JSONSchemaPropsOrBool: {},
  JSONSchemaPropsOrStringArray: {},
};

const specialDescriptions: Readonly<Record<string, string>> = {
  Time: "A time in RFC 3339 form with whole seconds.",
  MicroTime: "A time in RFC 3339 form with microseconds.",
  FieldsV1:
    "A set of fields: each key names a field (f:), a list item (k:, v:) or the object itself (.).",
  Patch: "A change to an object, in the form that the content type names.",
  Quantity: "An amount with a unit: 500m, 2Gi, 1e3.",
  IntOrString: "A whole number, or a text such as a port's name or a percentage.",
  RawExtension: "An object of any kind.",
  JSON: "Any JSON value.",
  JSONSchemaPropsOrArray: "A schema, or a list of schemas.",
  JSONSchemaPropsOrBool: "A schema, or a boolean: true takes everything, false nothing.",
  JSONSchemaPropsOrStringArray: "A schema, or a list of field names.",
};

const listsOfTexts = new Set(["ExtraValue", "Verbs"]);

const identity = {
  apiVersion:
    "APIVersion defines the version of the schema that this object follows, with its group: GROUP/VERSION, or VERSION alone for the core group.",
  kind: "Kind defines what this object is, in CamelCase. It cannot be changed.",
};

function isInlinedOnly(definition: Definition | undefined): boolean {
  return definition?.unpublished === true && !definition.isObject;
}

type DescribeField = (field: string, type?: string) => string | undefined;

function propertiesOf(definition: Definition, describe: DescribeField): JsonObject {
  const properties: JsonObject = {};
  if (definition.isObject) {
    for (const [field, fallback] of Object.entries(identity)) {
      properties[field] = { description: describe(field) ?? fallback, type: "string" };
    }
  }
  for (const field of definition.fields) {
    if (field.name === "~") Object.assign(properties, inlined(field, describe));
    else properties[field.name] = propertyOf(field, describe(field.name, referenceOf(field)));
  }
  return properties;
}

/** Enough in a list of fields: the type tells the rest itself. */
function firstSentence(text: string | undefined): string | undefined {
  return text?.replace(/(?<=[a-z)]\.) .*$/s, "");
}

/** The one definition that a field's value has, which describes the field where nothing else does. */
function referenceOf(field: Field): string | undefined {
  return field.holds === "one" && !isScalar(field.type) ? field.type : undefined;
}

function inlined(field: Field, describe: DescribeField): JsonObject {
  const definition = definitionOf(field.type);
  return definition === undefined ? {} : propertiesOf(definition, describe);
}

function requiredOf(definition: Definition): string[] {
  return definition.fields.flatMap((field) => {
    const inner = field.name === "~" ? definitionOf(field.type) : undefined;
    if (inner !== undefined) return requiredOf(inner);
    return field.required ? [field.name] : [];
  });
}

function propertyOf(field: Field, description: string | undefined): JsonObject {
  const value = valueOf(field);
  const isReference = "$ref" in value;
  const described = description !== undefined && { description };
  const facts = { ...extensionsOf(field), ...defaultOf(field) };
  const isBare = description === undefined && Object.keys(facts).length === 0;
  if (isReference && !isBare) return { allOf: [value], ...described, ...facts };
  return { ...described, ...value, ...facts };
}

function valueOf(field: Field): JsonObject {
  const item = itemOf(field.type);
  if (field.holds === "list") return { type: "array", items: item };
  return field.holds === "map" ? { type: "object", additionalProperties: item } : item;
}

function itemOf(type: string): JsonObject {
  if (listsOfTexts.has(shortName(type))) return { type: "array", items: { type: "string" } };
  return scalarTypes[type] ?? { $ref: `${componentsRoot}${type}` };
}

function extensionsOf(field: Field): JsonObject {
  return {
    ...(field.listMapKeys && { "x-kubernetes-list-map-keys": [...field.listMapKeys] }),
    ...(field.listType && { "x-kubernetes-list-type": field.listType }),
    ...(field.mapType && { "x-kubernetes-map-type": field.mapType }),
    ...(field.patchMergeKey && { "x-kubernetes-patch-merge-key": field.patchMergeKey }),
    ...(field.patchStrategy && { "x-kubernetes-patch-strategy": field.patchStrategy }),
  };
}

function defaultOf(field: Field): JsonObject {
  if (field.default === undefined) return {};
  return { default: field.type === "bool" ? field.default === "true" : field.default };
}
