import type { Json } from "#api/meta.ts";
import { fieldOf, isObject, jsonEqual, type JsonObject } from "#api/patch/json-object.ts";
import type { Findings } from "#api/custom/findings.ts";
import {
  itemsOfProps,
  propertyOf,
  valuesOfProps,
  type SchemaProps,
} from "#api/custom/schema-props.ts";

interface Placed {
  readonly value: Json;
  readonly old: Json | undefined;
  readonly path: string;
}

/** Notes items that stand twice in lists that are sets or maps, and embedded resources that say not what they are. */
export function checkLists(findings: Findings, props: SchemaProps, placed: Placed): void {
  const { value, old, path } = placed;
  if (old !== undefined && jsonEqual(value, old)) return;
  if (Array.isArray(value)) return checkList(findings, props, path, value);
  if (!isObject(value)) return;
  if (props["x-kubernetes-embedded-resource"]) checkEmbedded(findings, path, value);
  for (const field of Object.keys(value)) {
    const schema = propertyOf(props, field) ?? valuesOfProps(props);
    if (schema === undefined) continue;
    const before = isObject(old) ? fieldOf(old, field) : undefined;
    const inner = fieldOf(value, field) ?? null;
    const name = path === "" ? field : `${path}.${field}`;
    checkLists(findings, schema, { value: inner, old: before, path: name });
  }
}

function checkList(
  findings: Findings,
  props: SchemaProps,
  path: string,
  items: readonly Json[],
): void {
  const type = props["x-kubernetes-list-type"];
  if (type === "set" || type === "map") {
    const seen = new Set<string>();
    for (const [index, item] of items.entries()) {
      const identity = type === "set" ? item : keysOf(props, item);
      const text = canonical(identity);
      if (seen.has(text)) findings.duplicate(`${path}[${index}]`, identity);
      seen.add(text);
    }
  }
  const schema = itemsOfProps(props);
  if (schema === undefined) return;
  for (const [index, value] of items.entries()) {
    checkLists(findings, schema, { value, old: undefined, path: `${path}[${index}]` });
  }
}

function keysOf(props: SchemaProps, item: Json): JsonObject {
  const keys: JsonObject = {};
  if (!isObject(item)) return keys;
  for (const key of props["x-kubernetes-list-map-keys"] ?? []) {
    const value = fieldOf(item, key);
    if (value !== undefined) keys[key] = value;
  }
  return keys;
}

/** The same text for equal values: the order of fields does not count. */
function canonical(value: Json): string {
  if (Array.isArray(value)) return `[${value.map(canonical).join(",")}]`;
  if (!isObject(value)) return JSON.stringify(value);
  const fields = Object.keys(value).toSorted();
  return `{${fields.map((field) => `${JSON.stringify(field)}:${canonical(value[field] ?? null)}`).join(",")}}`;
}

function checkEmbedded(findings: Findings, path: string, value: JsonObject): void {
  for (const field of ["apiVersion", "kind"]) {
    const text = value[field];
    if (typeof text !== "string" || text === "") {
      findings.required(`${path}.${field}`, "must not be empty");
    }
  }
}
