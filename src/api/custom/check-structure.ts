import type { Field } from "#api/validation/field.ts";
import { compilePattern } from "#api/custom/pattern.ts";
import { itemsOfProps, valuesOfProps, type SchemaProps } from "#api/custom/schema-props.ts";

type Level = "root" | "item" | "field";

/** Notes what keeps a schema from being structural, in upstream's words (KEP-2337). */
export function checkStructure(field: Field, props: SchemaProps, level: Level = "root"): void {
  checkInner(field, props, level);
  checkOwnType(field, props, level);
  checkExtensions(field, props);
  checkIdentity(field, props, level);
  const skipped = isIntOrString(props.anyOf) ? "anyOf" : undefined;
  checkValidations(field, props, { skipAnyOf: skipped !== undefined, level });
  checkComplete(field, props, props);
}

function checkInner(field: Field, props: SchemaProps, level: Level): void {
  const items = itemsOfProps(props);
  if (props.type === "array" && items === undefined) {
    field.child("items").required("must be specified");
  }
  if (items !== undefined) checkStructure(field.child("items"), items, "item");
  for (const [name, inner] of Object.entries(props.properties ?? {})) {
    checkStructure(field.child("properties").key(name), inner, "field");
  }
  if (props.additionalProperties === undefined) return;
  const at = field.child("additionalProperties");
  if (level === "root") at.forbidden("must not be used at the root");
  const values = valuesOfProps(props);
  if (values !== undefined) checkStructure(at, values, "field");
}

const emptyType: Readonly<Record<Level, string>> = {
  root: "must not be empty at the root",
  item: "must not be empty for specified array items",
  field: "must not be empty for specified object fields",
};

function checkOwnType(field: Field, props: SchemaProps, level: Level): void {
  const type = props.type ?? "";
  const at = field.child("type");
  const embedded = props["x-kubernetes-embedded-resource"] === true;
  const open = props["x-kubernetes-int-or-string"] || props["x-kubernetes-preserve-unknown-fields"];
  if (embedded && type !== "object") {
    const rule = "must be object if x-kubernetes-embedded-resource is true";
    if (type === "") at.required(rule);
    else at.invalid(type, rule);
  } else if (type === "" && !open) at.required(emptyType[level]);
  if (embedded && props.additionalProperties !== undefined) {
    field
      .child("additionalProperties")
      .forbidden("must not be used if x-kubernetes-embedded-resource is set");
  }
  if (level === "root" && type !== "" && type !== "object") {
    at.invalid(type, "must be object at the root");
  }
}

function checkExtensions(field: Field, props: SchemaProps): void {
  const preserves = props["x-kubernetes-preserve-unknown-fields"] === true;
  const embedded = props["x-kubernetes-embedded-resource"] === true;
  const rule = "must be false if x-kubernetes-int-or-string is true";
  if (props["x-kubernetes-int-or-string"]) {
    if (preserves) field.child("x-kubernetes-preserve-unknown-fields").invalid(true, rule);
    if (embedded) field.child("x-kubernetes-embedded-resource").invalid(true, rule);
  }
  if (embedded && !preserves && Object.keys(props.properties ?? {}).length === 0) {
    field
      .child("properties")
      .required(
        "must not be empty if x-kubernetes-embedded-resource is true without x-kubernetes-preserve-unknown-fields",
      );
  }
}

/** What every object has may be restricted, not redefined. */
function checkIdentity(field: Field, props: SchemaProps, level: Level): void {
  const isObject = level === "root" || props["x-kubernetes-embedded-resource"] === true;
  if (!isObject) return;
  const properties = props.properties ?? {};
  for (const name of ["kind", "apiVersion"]) {
    const type = properties[name]?.type ?? "";
    if (name in properties && type !== "string") {
      field.child("properties").key(name).child("type").invalid(type, "must be string");
    }
  }
  const { metadata } = properties;
  if (metadata === undefined) return;
  const at = field.child("properties").key("metadata");
  if (metadata.type !== "object") at.child("type").invalid(metadata.type ?? "", "must be object");
  if (level === "root" && !restrictsNamesOnly(metadata)) {
    at.forbidden(
      "must not specify anything other than name and generateName, but metadata is implicitly specified",
    );
  }
}

function restrictsNamesOnly(metadata: SchemaProps): boolean {
  const { type: _type, default: _default, properties, description: _text, ...rest } = metadata;
  const names = Object.keys(properties ?? {});
  return (
    names.every((name) => name === "name" || name === "generateName") &&
    Object.keys(rest).length === 0
  );
}

interface Nesting {
  readonly skipAnyOf: boolean;
  readonly level: Level;
}

/** The schemas under `anyOf` and its kin only add conditions to what the structure says. */
function checkValidations(field: Field, props: SchemaProps, { skipAnyOf }: Nesting): void {
  for (const junctor of ["anyOf", "allOf", "oneOf"] as const) {
    if (junctor === "anyOf" && skipAnyOf) continue;
    for (const [index, inner] of (props[junctor] ?? []).entries()) {
      const isException = junctor === "allOf" && index === 0 && isIntOrString(inner.anyOf);
      checkNested(field.child(junctor).index(index), inner, isException);
    }
  }
  if (props.not !== undefined) checkNested(field.child("not"), props.not, false);
  if (props.pattern) checkPattern(field.child("pattern"), props.pattern);
}

function checkPattern(field: Field, pattern: string): void {
  try {
    compilePattern(pattern);
  } catch (error) {
    const why = error instanceof Error ? error.message : "unknown";
    field.invalid(pattern, `must be a valid regular expression, but isn't: ${why}`);
  }
}

function checkNested(field: Field, props: SchemaProps, skipAnyOf: boolean): void {
  checkValidations(field, props, { skipAnyOf, level: "field" });
  const items = itemsOfProps(props);
  if (items !== undefined) checkNested(field.child("items"), items, false);
  for (const [name, inner] of Object.entries(props.properties ?? {})) {
    checkNested(field.child("properties").key(name), inner, false);
  }
  for (const [name, rule] of Object.entries(nestedRules)) {
    const value = props[name as keyof SchemaProps];
    const isEmpty = value === undefined || value === "" || value === false;
    if (!isEmpty) field.child(name).forbidden(`${rule} to be structural`);
  }
  if ("metadata" in (props.properties ?? {})) {
    field
      .child("properties")
      .key("metadata")
      .forbidden("must not be specified in a nested context");
  }
}

const nestedRules = {
  type: "must be empty",
  additionalProperties: "must be undefined",
  default: "must be undefined",
  title: "must be empty",
  description: "must be empty",
  nullable: "must be false",
  externalDocs: "must be undefined",
  "x-kubernetes-preserve-unknown-fields": "must be false",
  "x-kubernetes-embedded-resource": "must be false",
  "x-kubernetes-int-or-string": "must be false",
  "x-kubernetes-list-map-keys": "must be empty",
  "x-kubernetes-list-type": "must be undefined",
  "x-kubernetes-map-type": "must be undefined",
  "x-kubernetes-validations": "must be empty",
} as const;

function isIntOrString(anyOf: readonly SchemaProps[] | undefined): boolean {
  return JSON.stringify(anyOf) === '[{"type":"integer"},{"type":"string"}]';
}

/** Every field and item that a nested schema speaks of must be specified by the structure too. */
function checkComplete(field: Field, props: SchemaProps, structure: SchemaProps): void {
  for (const junctor of ["allOf", "anyOf", "oneOf"] as const) {
    for (const [index, inner] of (props[junctor] ?? []).entries()) {
      checkSpecified(field, inner, { structure, at: field.child(junctor).index(index) });
    }
  }
  if (props.not !== undefined) {
    checkSpecified(field, props.not, { structure, at: field.child("not") });
  }
}

interface Specified {
  readonly structure: SchemaProps | undefined;
  /** Where the nested schema is. */
  readonly at: Field;
}

function checkSpecified(field: Field, nested: SchemaProps, { structure, at }: Specified): void {
  const because = `because it is defined in ${at.path}`;
  const items = itemsOfProps(nested);
  if (items !== undefined) {
    const own = structure && itemsOfProps(structure);
    if (own === undefined) field.child("items").required(because);
    else checkSpecified(field.child("items"), items, { structure: own, at: at.child("items") });
  }
  for (const [name, inner] of Object.entries(nested.properties ?? {})) {
    const own = structure?.properties?.[name];
    const place = field.child("properties").key(name);
    const source = at.child("properties").key(name);
    if (own === undefined) {
      place.required(`because it is defined in ${source.path}`);
    } else checkSpecified(place, inner, { structure: own, at: source });
  }
  for (const junctor of ["allOf", "anyOf", "oneOf"] as const) {
    for (const [index, inner] of (nested[junctor] ?? []).entries()) {
      checkSpecified(field, inner, { structure, at: at.child(junctor).index(index) });
    }
  }
  if (nested.not !== undefined) {
    checkSpecified(field, nested.not, { structure, at: at.child("not") });
  }
}
