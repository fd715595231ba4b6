import type { Json } from "#api/meta.ts";
import { fieldOf, isObject, type JsonObject } from "#api/patch/json-object.ts";
import type { Schema } from "#api/schema.ts";
import {
  insertNode,
  insertPath,
  type FieldSet,
  type MutableFieldSet,
} from "#api/apply/field-set.ts";
import {
  childSchema,
  isDeclared,
  isUndeclared,
  itemElement,
  printPath,
  shapeOf,
} from "#api/apply/paths.ts";

export interface FieldsOfObject {
  readonly fields: FieldSet;
  /** What keeps the object from being applied, in upstream's words: `.spec.foo: field not declared in schema`. */
  readonly problems: readonly string[];
}

/**
 * The set of all fields that an applied configuration names. A map's keys are in it themselves, a struct's fields
 * only where nothing is below them; an empty list names nothing; an item that stands there twice is one leaf.
 */
export function fieldsOf(object: JsonObject, schema: Schema): FieldsOfObject {
  const walk: Walk = { fields: {}, problems: [], path: [] };
  visitFields(walk, object, schema);
  return walk;
}

/** Every object has them, also where the schema of a custom resource does not say so. */
const objectFields: ReadonlySet<string> = new Set(["apiVersion", "kind", "metadata"]);
const problemsMax = 100;

interface Walk {
  readonly fields: MutableFieldSet;
  readonly problems: string[];
  readonly path: string[];
}

function visit(walk: Walk, value: Json, schema: Schema | undefined): void {
  const shape = shapeOf(schema, value);
  if (shape === "leaf" || value === null) {
    const expected = value === null ? undefined : expectedType(value, schema);
    if (expected !== undefined) addProblem(walk, expected);
    return insertPath(walk.fields, walk.path);
  }
  if (shape === "map") {
    if (!isObject(value)) return addProblem(walk, `expected map, got ${typeNameOf(value)}`);
    if (Object.keys(value).length === 0) insertPath(walk.fields, walk.path);
    return visitFields(walk, value, schema);
  }
  if (!Array.isArray(value)) return addProblem(walk, `expected list, got ${typeNameOf(value)}`);
  visitItems(walk, value, schema);
}

function visitFields(walk: Walk, object: JsonObject, schema: Schema | undefined): void {
  for (const field of Object.keys(object)) {
    walk.path.push(`f:${field}`);
    const ofEveryObject = walk.path.length === 1 && objectFields.has(field);
    if (isUndeclared(schema, field) && !ofEveryObject)
      addProblem(walk, "field not declared in schema");
    else {
      if (!isDeclared(schema, field)) insertPath(walk.fields, walk.path);
      visit(walk, fieldOf(object, field) ?? null, childSchema(schema, field));
    }
    walk.path.pop();
  }
}

function visitItems(walk: Walk, items: Json[], schema: Schema | undefined): void {
  const seen = new Set<string>();
  items.forEach((item, index) => {
    const element = itemElement(schema, item);
    if (element === undefined) {
      const missing = isObject(item)
        ? `associative list with keys has an element that omits all key fields [${keysOf(schema)}] (and doesn't have default values for any key fields)`
        : "associative list with keys may not have non-map elements";
      return addProblem(walk, `element ${index}: ${missing}`);
    }
    if (seen.has(element)) {
      insertNode(walk.fields, [...walk.path, element], {});
      return addProblem(walk, `duplicate entries for key ${printPath([element])}`);
    }
    seen.add(element);
    walk.path.push(element);
    insertPath(walk.fields, walk.path);
    if (schema?.listType === "map") visit(walk, item, schema.items);
    walk.path.pop();
  });
}

function keysOf(schema: Schema | undefined): string {
  return (schema?.listMapKeys ?? []).map((key) => JSON.stringify(key)).join(" ");
}

function expectedType(value: Json, schema: Schema | undefined): string | undefined {
  const expected = {
    integer: ["number", "expected numeric (int or float)"],
    number: ["number", "expected numeric (int or float)"],
    string: ["string", "expected string"],
    boolean: ["boolean", "expected boolean"],
    array: undefined,
    object: undefined,
    any: undefined,
  }[schema?.type ?? "any"];
  if (expected === undefined || typeof value === expected[0]) return undefined;
  return `${expected[1]}, got ${typeNameOf(value)}`;
}

function typeNameOf(value: Json): string {
  if (Array.isArray(value)) return "list";
  if (isObject(value)) return "map";
  return JSON.stringify(value);
}

function addProblem(walk: Walk, problem: string): void {
  if (walk.problems.length < problemsMax) walk.problems.push(`${printPath(walk.path)}: ${problem}`);
}
