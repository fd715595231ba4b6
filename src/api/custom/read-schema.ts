import type { Json } from "#api/meta.ts";
import { isObject, setField, type JsonObject } from "#api/patch/json-object.ts";
import type { SchemaProps } from "#api/custom/schema-props.ts";

/** A keyword whose value is of a wrong type: `spec.items.pattern`, and what stands there. */
export interface Misread {
  readonly path: string;
  readonly value: Json;
  readonly expected: string;
}

/**
 * Reads a schema as it stands in a definition: nulls go, keywords of a wrong type go and are told. What is under
 * `items` and `additionalProperties` has seen no other check.
 */
export function readSchema(value: unknown, path = "", misread: Misread[] = []): SchemaProps {
  const source = (value ?? {}) as Json;
  const schema: JsonObject = {};
  if (!isObject(source)) {
    note(misread, { path, value: source, expected: "object" });
    return schema as SchemaProps;
  }
  for (const [keyword, given] of Object.entries(source)) {
    if (given === null && keyword !== "default") continue;
    const kind = kinds[keyword] ?? "any";
    const at = path === "" ? keyword : `${path}.${keyword}`;
    const read = readers[kind](given, at, misread);
    if (read === undefined) note(misread, { path: at, value: given, expected: kind });
    else setField(schema, keyword, read);
  }
  return schema as SchemaProps;
}

const misreadMax = 100;

function note(misread: Misread[], one: Misread): void {
  if (misread.length < misreadMax) misread.push(one);
}

type Reader = (value: Json, path: string, misread: Misread[]) => Json | undefined;
type KeywordKind =
  | "string"
  | "number"
  | "boolean"
  | "strings"
  | "list"
  | "schema"
  | "schemas"
  | "map of schemas"
  | "schema or boolean"
  | "schema or schemas"
  | "any";

const schema: Reader = (value, path, misread) => {
  return isObject(value) ? (readSchema(value, path, misread) as unknown as Json) : undefined;
};

const schemas: Reader = (value, path, misread) => {
  if (!Array.isArray(value)) return undefined;
  return value.map((one, index) => {
    return readSchema(one, `${path}[${index}]`, misread) as unknown as Json;
  });
};

const readers: Readonly<Record<KeywordKind, Reader>> = {
  any: (value) => value,
  string: (value) => (typeof value === "string" ? value : undefined),
  number: (value) => (typeof value === "number" ? value : undefined),
  boolean: (value) => (typeof value === "boolean" ? value : undefined),
  list: (value) => (Array.isArray(value) ? value : undefined),
  strings: (value) =>
    Array.isArray(value) && value.every((one) => typeof one === "string") ? value : undefined,
  schema,
  schemas,
  "schema or boolean": (value, path, misread) =>
    typeof value === "boolean" ? value : schema(value, path, misread),
  "schema or schemas": (value, path, misread) =>
    schema(value, path, misread) ?? schemas(value, path, misread),
  "map of schemas": (value, path, misread) => {
    if (!isObject(value)) return undefined;
    const read: JsonObject = {};
    for (const [name, one] of Object.entries(value)) {
      setField(read, name, readSchema(one, `${path}[${name}]`, misread) as unknown as Json);
    }
    return read;
  },
};

const kinds: Readonly<Record<string, KeywordKind>> = {
  type: "string",
  format: "string",
  title: "string",
  description: "string",
  pattern: "string",
  nullable: "boolean",
  properties: "map of schemas",
  additionalProperties: "schema or boolean",
  items: "schema or schemas",
  required: "strings",
  enum: "list",
  minLength: "number",
  maxLength: "number",
  minimum: "number",
  maximum: "number",
  exclusiveMinimum: "boolean",
  exclusiveMaximum: "boolean",
  multipleOf: "number",
  minItems: "number",
  maxItems: "number",
  uniqueItems: "boolean",
  minProperties: "number",
  maxProperties: "number",
  allOf: "schemas",
  anyOf: "schemas",
  oneOf: "schemas",
  not: "schema",
  "x-kubernetes-preserve-unknown-fields": "boolean",
  "x-kubernetes-embedded-resource": "boolean",
  "x-kubernetes-int-or-string": "boolean",
  "x-kubernetes-list-type": "string",
  "x-kubernetes-list-map-keys": "strings",
  "x-kubernetes-map-type": "string",
  "x-kubernetes-validations": "list",
};
