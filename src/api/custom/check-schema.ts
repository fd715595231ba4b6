import type { Json } from "#api/meta.ts";
import { isObject } from "#api/patch/json-object.ts";
import { pruneUnknown } from "#api/decode/prune-unknown.ts";
import { causesOf, type Field } from "#api/validation/field.ts";
import { checkStructure } from "#api/custom/check-structure.ts";
import { itemsOfProps, valuesOfProps, type SchemaProps } from "#api/custom/schema-props.ts";
import { structuralSchemaOf } from "#api/custom/structural-schema.ts";
import { validateAgainst } from "#api/custom/validate-value.ts";

/** Notes what is wrong with the schema of a custom resource's version. */
export function checkSchema(field: Field, props: SchemaProps): void {
  checkKeywords(field, props);
  checkStructure(field, props);
}

/** Why a schema is not structural, as the NonStructuralSchema condition tells it; "" where it is. */
export function structuralProblems(path: string, props: SchemaProps): string {
  const causes = causesOf((root) => checkStructure(root.child(path), props));
  const texts = causes.map((cause) => `${cause.field}: ${cause.message}`).toSorted();
  return texts.length > 1 ? `[${texts.join(", ")}]` : (texts[0] ?? "");
}

const typeNames = ["array", "boolean", "integer", "number", "object", "string"];

const unsupported = [
  "definitions",
  "dependencies",
  "$ref",
  "patternProperties",
  "additionalItems",
  "id",
  "$schema",
] as const;

function checkKeywords(field: Field, props: SchemaProps): void {
  for (const keyword of unsupported) {
    const name = keyword === "$schema" ? "schema" : keyword;
    if (props[keyword]) field.child(keyword).forbidden(`${name} is not supported`);
  }
  if (props.type && !typeNames.includes(props.type)) {
    field.child("type").notSupported(props.type, typeNames);
  }
  if (props.uniqueItems) {
    field
      .child("uniqueItems")
      .forbidden(
        "uniqueItems cannot be set to true since the runtime complexity becomes quadratic",
      );
  }
  if (Array.isArray(props.items)) {
    field.child("items").forbidden("items must be a schema object and not an array");
  }
  checkProperties(field, props);
  checkListType(field, props);
  checkDefault(field, props);
  for (const junctor of ["allOf", "anyOf", "oneOf"] as const) {
    for (const [index, inner] of (props[junctor] ?? []).entries()) {
      checkKeywords(field.child(junctor).index(index), inner);
    }
  }
  if (props.not !== undefined) checkKeywords(field.child("not"), props.not);
  const items = itemsOfProps(props);
  if (items !== undefined) checkKeywords(field.child("items"), items);
}

function checkProperties(field: Field, props: SchemaProps): void {
  const at = field.child("additionalProperties");
  if (props.additionalProperties === false) {
    at.forbidden("additionalProperties cannot be set to false");
  }
  if (props.additionalProperties && Object.keys(props.properties ?? {}).length > 0) {
    at.forbidden("additionalProperties and properties are mutual exclusive");
  }
  const values = valuesOfProps(props);
  if (values !== undefined) checkKeywords(at, values);
  for (const [name, inner] of Object.entries(props.properties ?? {})) {
    checkKeywords(field.child("properties").key(name), inner);
  }
}

function checkListType(field: Field, props: SchemaProps): void {
  const type = props["x-kubernetes-list-type"];
  const keys = props["x-kubernetes-list-map-keys"] ?? [];
  const typeField = field.child("x-kubernetes-list-type");
  const keysField = field.child("x-kubernetes-list-map-keys");
  const mapType = props["x-kubernetes-map-type"];
  if (type !== undefined && props.type !== "array") {
    const rule = "must be array if x-kubernetes-list-type is specified";
    if (props.type) field.child("type").invalid(props.type, rule);
    else field.child("type").required(rule);
  }
  if (type !== undefined && !["atomic", "set", "map"].includes(type)) {
    typeField.notSupported(type, ["atomic", "set", "map"]);
  }
  if (keys.length > 0 && type === undefined) {
    typeField.required("must be map if x-kubernetes-list-map-keys is non-empty");
  } else if (keys.length > 0 && type !== "map") {
    typeField.invalid(type, "must be map if x-kubernetes-list-map-keys is non-empty");
  }
  if (type === "map") checkMapKeys(field, props, keysField);
  if (mapType === undefined) return;
  if (!["granular", "atomic"].includes(mapType)) {
    field.child("x-kubernetes-map-type").notSupported(mapType, ["granular", "atomic"]);
  }
  if (props.type !== "object") {
    const rule = "must be object if x-kubernetes-map-type is specified";
    if (props.type) field.child("type").invalid(props.type, rule);
    else field.child("type").required(rule);
  }
}

function checkMapKeys(field: Field, props: SchemaProps, keysField: Field): void {
  const keys = props["x-kubernetes-list-map-keys"] ?? [];
  if (keys.length === 0) {
    keysField.required("must not be empty if x-kubernetes-list-type is map");
  }
  const items = itemsOfProps(props);
  if (items === undefined) return;
  const itemField = field.child("items");
  if (items.type !== "object") {
    itemField
      .child("type")
      .invalid(items.type ?? "", "must be object if parent array's x-kubernetes-list-type is map");
  }
  for (const [index, key] of keys.entries()) {
    const property = items.properties?.[key];
    if (property === undefined) {
      keysField.index(index).invalid(key, "entries must all be names of item properties");
      continue;
    }
    if (property.default === undefined && !items.required?.includes(key)) {
      itemField
        .child("properties")
        .key(key)
        .child("default")
        .required(
          "this property is in x-kubernetes-list-map-keys, so it must have a default or be a required property",
        );
    }
  }
}

/** A default must be what it would be given back as: valid, and without fields that would be dropped. */
function checkDefault(field: Field, props: SchemaProps): void {
  if (props.default === undefined || props.default === null) return;
  const at = field.child("default");
  const { default: value, ...schema } = props;
  const holder = { type: "object", properties: { value: schema } } as const;
  for (const { message = "" } of validateAgainst({ value: value ?? null }, holder)) {
    at.invalid(value, message.replace(/^.*? in body /, "").replace(/^Invalid value: /, ""));
  }
  if (dropped({ value: value ?? null }, holder)) at.invalid(value, "must not have unknown fields");
}

function dropped(object: { value: Json }, holder: SchemaProps): boolean {
  return (
    isObject(object.value) && pruneUnknown(object, structuralSchemaOf(holder)).unknown.length > 0
  );
}
