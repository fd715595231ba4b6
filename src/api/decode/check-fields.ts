import type { Json } from "#api/meta.ts";
import type { Schema } from "#api/schema.ts";
import { isObject, setField, type JsonObject } from "#api/patch/json-object.ts";
import type { DecodedBody } from "#api/decode/decode-body.ts";
import {
  handledAs,
  reportFindings,
  type FieldValidation,
  type Subject,
} from "#api/decode/field-findings.ts";
import {
  goStructOf,
  goTypeOf,
  isUnreadable,
  mismatch,
  readScalar,
  zeroOf,
  type Unreadable,
} from "#api/decode/go-values.ts";

export interface CheckedFields {
  /** The object without unknown fields and nulls, with canonical quantities and times. */
  readonly object: JsonObject;
  /** Texts for `Warning:` headers. */
  readonly warnings: readonly string[];
}

export interface CheckOptions {
  readonly mode: FieldValidation;
  /** Where the object was read from, for what only its text shows. */
  readonly body?: DecodedBody;
  readonly subject?: Subject;
}

/**
 * Reads a JSON value as a built-in kind, as Go's decoder would: values of a wrong type are a 400, unknown fields
 * are dropped and, as the mode says, reported. The input is not changed; what needs no change is shared.
 */
export function checkFields(value: Json, schema: Schema, options: CheckOptions): CheckedFields {
  const walk: Walk = {
    fields: [],
    struct: schema,
    unknown: [],
    subject: options.subject,
    place: [],
  };
  if (!isObject(value)) throw refuse(walk, mismatch(value, goTypeOf(schema)));
  const object = checkObject(walk, value, schema);
  const warnings = reportFindings(walk.unknown, options.mode, options);
  return { object, warnings };
}

const unknownMax = 100;

interface Walk {
  /** The names of the fields on the way, as Go's messages have them. */
  readonly fields: string[];
  /** The same way with the places in lists, as findings have them. */
  readonly place: (string | number)[];
  /** The innermost struct. */
  struct: Schema;
  readonly unknown: string[];
  readonly subject: Subject | undefined;
}

function checkValue(walk: Walk, value: Json, schema: Schema): Json {
  if (schema.type === "object") {
    if (isObject(value)) return checkObject(walk, value, schema);
    throw refuse(walk, mismatch(value, goTypeOf(schema)));
  }
  if (schema.type === "array") {
    if (Array.isArray(value)) return checkItems(walk, value, schema.items);
    throw refuse(walk, mismatch(value, goTypeOf(schema)));
  }
  const read = readScalar(value, schema);
  if (isUnreadable(read, value)) throw refuse(walk, read);
  return read;
}

function checkObject(walk: Walk, object: JsonObject, schema: Schema): JsonObject {
  if (schema.properties !== undefined) return checkStruct(walk, object, schema);
  return schema.values === undefined ? object : checkMap(walk, object, schema.values);
}

function checkStruct(walk: Walk, object: JsonObject, schema: Schema): JsonObject {
  const properties = schema.properties ?? {};
  const outer = walk.struct;
  let result = object;
  for (const field of Object.keys(object)) {
    const value = object[field] ?? null;
    const fieldSchema = Object.hasOwn(properties, field) ? properties[field] : undefined;
    if (fieldSchema === undefined && schema.preserveUnknownFields) continue;
    if (fieldSchema === undefined || value === null) {
      if (fieldSchema === undefined) addUnknown(walk, field);
      result = without(result, object, field);
      continue;
    }
    enter(walk, field);
    walk.struct = schema;
    const checked = checkValue(walk, value, fieldSchema);
    leave(walk);
    if (checked !== value) result = withField({ result, original: object }, field, checked);
  }
  walk.struct = outer;
  return result;
}

function checkMap(walk: Walk, object: JsonObject, values: Schema): JsonObject {
  let result = object;
  for (const key of Object.keys(object)) {
    const value = object[key] ?? null;
    walk.place.push(key);
    const checked = value === null ? zeroOf(values) : checkValue(walk, value, values);
    walk.place.pop();
    if (checked !== value) result = withField({ result, original: object }, key, checked);
  }
  return result;
}

function checkItems(walk: Walk, items: Json[], schema: Schema | undefined): Json[] {
  if (schema === undefined) return items;
  let result = items;
  items.forEach((item, index) => {
    walk.place.push(index);
    const checked = item === null ? zeroOf(schema) : checkValue(walk, item, schema);
    walk.place.pop();
    if (checked === item) return;
    if (result === items) result = [...items];
    result[index] = checked;
  });
  return result;
}

function withField(
  { result, original }: { readonly result: JsonObject; readonly original: JsonObject },
  field: string,
  value: Json,
): JsonObject {
  const target = result === original ? { ...original } : result;
  setField(target, field, value);
  return target;
}

function without(result: JsonObject, original: JsonObject, field: string): JsonObject {
  const target = result === original ? { ...original } : result;
  delete target[field];
  return target;
}

function addUnknown(walk: Walk, field: string): void {
  if (walk.unknown.length >= unknownMax) return;
  const steps = [...walk.place, field];
  walk.unknown.push(
    steps
      .map((step) => (typeof step === "number" ? `[${step}]` : `.${step}`))
      .join("")
      .slice(1),
  );
}

function enter(walk: Walk, field: string): void {
  walk.fields.push(field);
  walk.place.push(field);
}

function leave(walk: Walk): void {
  walk.fields.pop();
  walk.place.pop();
}

function refuse(walk: Walk, problem: Unreadable): Error {
  if (problem.kind === "text") return handledAs(problem.message, walk.subject);
  const into =
    walk.fields.length === 0
      ? `Go value of type ${problem.type}`
      : `Go struct field ${goStructOf(walk.struct)}.${walk.fields.join(".")} of type ${problem.type}`;
  return handledAs(`json: cannot unmarshal ${problem.value} into ${into}`, walk.subject);
}
