import type { Json } from "#api/meta.ts";
import { fieldOf, isObject, jsonEqual, type JsonObject } from "#api/patch/json-object.ts";
import type { Schema } from "#api/schema.ts";
import {
  insertNode,
  insertPath,
  isEmptySet,
  unionOf,
  type FieldSet,
  type MutableFieldSet,
} from "#api/apply/field-set.ts";
import { childSchema, hasRepeats, itemElement, sameItem, shapeOf } from "#api/apply/paths.ts";

/** How one object differs from another, as sets of fields. */
export interface Comparison {
  readonly added: FieldSet;
  readonly modified: FieldSet;
  readonly removed: FieldSet;
}

/** Compares two objects of one kind along its schema, without building anything where they are equal. */
export function compareObjects(old: JsonObject, changed: JsonObject, schema: Schema): Comparison {
  const walk: Walk = { added: {}, modified: {}, removed: {}, path: [] };
  compareFields(walk, { old, changed }, schema);
  return walk;
}

/** What the change set or altered. */
export function changedBy({ added, modified }: Comparison): FieldSet {
  return unionOf(modified, added);
}

export function isSame({ added, modified, removed }: Comparison): boolean {
  return isEmptySet(added) && isEmptySet(modified) && isEmptySet(removed);
}

interface Walk {
  readonly added: MutableFieldSet;
  readonly modified: MutableFieldSet;
  readonly removed: MutableFieldSet;
  /** The elements on the way; made to text only when a difference is found. */
  readonly path: (string | (() => string))[];
}

interface Pair<Value> {
  readonly old: Value | undefined;
  readonly changed: Value | undefined;
}

/**
 * Structs that Go objects contain rather than point to: they exist in every object, so that none is ever added.
 */
const embeddedStructs: ReadonlySet<string> = new Set([
  "metadata",
  "resources",
  "spec",
  "status",
  "strategy",
  "template",
  "updateStrategy",
]);

function compareValues(walk: Walk, pair: Pair<Json>, schema: Schema | undefined): void {
  const { old, changed } = pair;
  if (old === changed) return;
  if (old === undefined) {
    const node = allFieldsOf(changed ?? null, schema, isEmbedded(walk, schema));
    return insertNode(walk.added, pathOf(walk), node);
  }
  const shape = shapeOf(schema, changed ?? old);
  if (shape === "leaf" || (isVoid(old) && isVoid(changed)) || !canDescend(shape, pair)) {
    return compareLeaves(walk, pair);
  }
  if (shape === "map") compareFields(walk, pair as Pair<JsonObject>, schema);
  else compareItems(walk, pair as Pair<Json[]>, schema);
  if (changed === undefined) insertPath(walk.removed, pathOf(walk));
}

/** The node of a value that is new: it and all that is in it, or only what is in it. */
function allFieldsOf(value: Json, schema: Schema | undefined, onlyInside: boolean): FieldSet {
  const shape = shapeOf(schema, value);
  if (shape === "leaf" || isVoid(value)) return {};
  const node: MutableFieldSet = onlyInside ? {} : { ".": {} };
  if (shape === "map" && isObject(value)) {
    for (const field of Object.keys(value)) {
      const child = childSchema(schema, field);
      const inner = isEmbeddedStruct(child, field);
      node[`f:${field}`] = allFieldsOf(value[field] ?? null, child, inner) as MutableFieldSet;
    }
    return node;
  }
  if (shape !== "list" || !Array.isArray(value)) return {};
  for (const [element, group] of groupItems(value, schema)) {
    const fields = group.length > 1 ? {} : allFieldsOf(group[0] ?? null, schema?.items, false);
    node[element] = fields as MutableFieldSet;
  }
  return node;
}

function compareLeaves(walk: Walk, { old, changed }: Pair<Json>): void {
  if (old === undefined) insertPath(walk.added, pathOf(walk));
  else if (changed === undefined) insertPath(walk.removed, pathOf(walk));
  else if (!jsonEqual(old, changed)) insertPath(walk.modified, pathOf(walk));
}

function compareFields(walk: Walk, pair: Pair<JsonObject>, schema: Schema | undefined): void {
  const old = pair.old ?? noFields;
  const changed = pair.changed ?? noFields;
  for (const field in old) {
    const next = fieldOf(changed, field);
    const value = old[field];
    if (value === next || value === undefined) continue;
    walk.path.push(`f:${field}`);
    compareValues(walk, { old: value, changed: next }, childSchema(schema, field));
    walk.path.pop();
  }
  for (const field in changed) {
    if (Object.hasOwn(old, field)) continue;
    walk.path.push(`f:${field}`);
    compareValues(
      walk,
      { old: undefined, changed: changed[field] ?? null },
      childSchema(schema, field),
    );
    walk.path.pop();
  }
}

const noFields: JsonObject = {};

function compareItems(walk: Walk, pair: Pair<Json[]>, schema: Schema | undefined): void {
  const old = pair.old ?? [];
  const changed = pair.changed ?? [];
  if (old.length === changed.length && inStep(old, changed, schema)) {
    old.forEach((item, index) => {
      const next = changed[index];
      if (next === item) return;
      walk.path.push(() => itemElement(schema, item) ?? `i:${index}`);
      compareValues(walk, { old: item, changed: next }, schema?.items);
      walk.path.pop();
    });
    return;
  }
  const oldItems = groupItems(old, schema);
  const changedItems = groupItems(changed, schema);
  for (const element of new Set([...oldItems.keys(), ...changedItems.keys()])) {
    walk.path.push(element);
    const group = changedItems.get(element) ?? [];
    compareGroups(walk, oldItems.get(element) ?? [], { group, schema });
    walk.path.pop();
  }
}

/** Items that stand more than once in a list are compared together and owned as one leaf. */
function compareGroups(
  walk: Walk,
  old: readonly Json[],
  { group, schema }: { readonly group: readonly Json[]; readonly schema: Schema | undefined },
): void {
  const wasRepeated = old.length > 1;
  const isRepeated = group.length > 1;
  if (wasRepeated && isRepeated) {
    return compareLeaves(walk, { old: [...old], changed: [...group] });
  }
  const before = wasRepeated ? undefined : old[0];
  const after = isRepeated ? undefined : group[0];
  if (before !== undefined || after !== undefined) {
    compareValues(walk, { old: before, changed: after }, schema?.items);
  }
  if (wasRepeated) insertPath(walk.removed, pathOf(walk));
  if (isRepeated) insertPath(walk.added, pathOf(walk));
}

function inStep(old: Json[], changed: Json[], schema: Schema | undefined): boolean {
  return (
    old.every((item, index) => sameItem(schema, item, changed[index] ?? null)) &&
    !hasRepeats(schema, old)
  );
}

function groupItems(items: Json[], schema: Schema | undefined): Map<string, Json[]> {
  const groups = new Map<string, Json[]>();
  items.forEach((item, index) => {
    const element = itemElement(schema, item) ?? `i:${index}`;
    const group = groups.get(element);
    if (group === undefined) groups.set(element, [item]);
    else group.push(item);
  });
  return groups;
}

function isVoid(value: Json | undefined): boolean {
  if (value === undefined || value === null) return true;
  if (typeof value !== "object") return false;
  return Array.isArray(value) ? value.length === 0 : isEmptyObject(value);
}

function isEmptyObject(value: JsonObject): boolean {
  for (const _ in value) return false;
  return true;
}

/** Null and absence fit every shape; another kind of value is compared as a whole. */
function canDescend(shape: "map" | "list", { old, changed }: Pair<Json>): boolean {
  const fits = (value: Json | undefined): boolean =>
    value === undefined || (shape === "map" ? isObject(value) : Array.isArray(value));
  return fits(old) && fits(changed);
}

function isEmbedded(walk: Walk, schema: Schema | undefined): boolean {
  const last = walk.path.at(-1);
  return typeof last === "string" && isEmbeddedStruct(schema, last.slice(2));
}

/** Only built-in kinds have Go structs, and their schemas names; every object has its metadata. */
function isEmbeddedStruct(schema: Schema | undefined, field: string): boolean {
  if (schema?.properties === undefined || !embeddedStructs.has(field)) return false;
  return schema.name !== undefined || field === "metadata";
}

function pathOf(walk: Walk): string[] {
  return walk.path.map((element) => (typeof element === "string" ? element : element()));
}
