import type { Json } from "#api/meta.ts";
import { fieldOf, isObject, type JsonObject } from "#api/patch/json-object.ts";
import type { Schema } from "#api/schema.ts";
import { compareObjects } from "#api/apply/compare.ts";
import { differenceOf, emptySet, type FieldSet } from "#api/apply/field-set.ts";
import { fieldsOf } from "#api/apply/fields-of.ts";

/** The annotation in which client-side `kubectl apply` keeps what it applied. */
export const lastAppliedAnnotation = "kubectl.kubernetes.io/last-applied-configuration";

/**
 * The fields that client-side apply set and that still have its values. `kubectl apply --server-side` may take them
 * over without a conflict. Empty without the annotation, or with one that cannot be read.
 */
export function clientSideApplied(live: JsonObject, schema: Schema, apiVersion: string): FieldSet {
  const lastApplied = parseObject(annotationOf(live));
  if (lastApplied === undefined || lastApplied["apiVersion"] !== apiVersion) return emptySet;
  const { fields, problems } = fieldsOf(lastApplied, schema);
  if (problems.length > 0) return emptySet;
  const { added, modified, removed } = compareObjects(lastApplied, live, schema);
  return differenceOf(differenceOf(differenceOf(fields, modified), added), removed);
}

/**
 * Brings the annotation up to date with what was applied, where there is one, so that client-side apply can go on
 * from it.
 */
export function syncLastApplied(object: JsonObject, applied: JsonObject): JsonObject {
  const before = annotationOf(object);
  if (before === undefined || before === "") return object;
  const text = `${JSON.stringify(sorted(withoutAnnotation(applied)))}\n`;
  const metadata = objectOf(object["metadata"]);
  const annotations = { ...objectOf(metadata["annotations"]), [lastAppliedAnnotation]: text };
  if (text === before) return object;
  if (sizeOf(annotations) > annotationsBytesMax) {
    const { [lastAppliedAnnotation]: _, ...rest } = annotations;
    return { ...object, metadata: { ...metadata, annotations: rest } };
  }
  return { ...object, metadata: { ...metadata, annotations } };
}

/** What all annotations of an object may take together. */
const annotationsBytesMax = 256 * 1024;

function annotationOf(object: JsonObject): string | undefined {
  const annotations = objectOf(objectOf(object["metadata"])["annotations"]);
  const text = fieldOf(annotations, lastAppliedAnnotation);
  return typeof text === "string" ? text : undefined;
}

function withoutAnnotation(applied: JsonObject): JsonObject {
  const { managedFields: _, ...metadata } = objectOf(applied["metadata"]);
  if (!isObject(metadata["annotations"])) return { ...applied, metadata };
  const { [lastAppliedAnnotation]: _text, ...annotations } = metadata["annotations"];
  return { ...applied, metadata: { ...metadata, annotations } };
}

function parseObject(text: string | undefined): JsonObject | undefined {
  if (text === undefined || text === "") return undefined;
  try {
    const value = JSON.parse(text) as Json;
    return isObject(value) ? value : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}

function objectOf(value: Json | undefined): JsonObject {
  return isObject(value) ? value : {};
}

function sorted(value: Json): Json {
  if (Array.isArray(value)) return value.map(sorted);
  if (!isObject(value)) return value;
  const fields = Object.keys(value).toSorted();
  return Object.fromEntries(fields.map((field) => [field, sorted(fieldOf(value, field) ?? null)]));
}

function sizeOf(annotations: JsonObject): number {
  return Object.entries(annotations).reduce(
    (size, [key, value]) => size + key.length + JSON.stringify(value).length,
    0,
  );
}
