import type { Json } from "#api/meta.ts";
import { isObject, jsonEqual, type JsonObject } from "#api/patch/json-object.ts";
import type { Schema } from "#api/schema.ts";

/**
 * Server-side apply, slow and plain: sets of whole paths, every operation a loop over all of them. It shares no
 * code with #api/apply and follows the published semantics (KEP-555 and structured-merge-diff's rules), so that
 * both can be held against each other. Only for tests. It knows objects that fit their schema and hold no nulls.
 */

/** Paths as texts: the JSON of their elements, each written as `fieldsV1` writes it. */
export type PathSet = ReadonlySet<string>;

export interface ReferenceState {
  readonly live: JsonObject | undefined;
  /** By "NAME Apply" or "NAME Update". */
  readonly managers: ReadonlyMap<string, PathSet>;
}

export type ReferenceResult =
  | { readonly kind: "written"; readonly state: ReferenceState }
  | { readonly kind: "conflict"; readonly conflicts: ReadonlyMap<string, PathSet> };

export function referenceUpdate(
  { live, managers: stored }: ReferenceState,
  write: { readonly manager: string; readonly object: JsonObject; readonly schema: Schema },
): ReferenceState {
  const managers = reconciled(stored, write.schema);
  if (live !== undefined && managers.size === 0) return { live: write.object, managers };
  const changes = compare(live ?? {}, write.object, write.schema);
  const name = `${write.manager} Update`;
  const own = union(
    minus(managers.get(name) ?? new Set(), changes.removed),
    changes.modified,
    changes.added,
  );
  const next = new Map(released(managers, name, changes));
  next.delete(name);
  if (own.size > 0) next.set(name, own);
  return { live: write.object, managers: next };
}

export function referenceApply(
  state: ReferenceState,
  write: {
    readonly manager: string;
    readonly applied: JsonObject;
    readonly schema: Schema;
    readonly force: boolean;
  },
): ReferenceResult {
  const { schema, applied } = write;
  const live = state.live ?? {};
  const managers = new Map(
    state.live !== undefined && state.managers.size === 0
      ? referenceUpdate(
          { live: undefined, managers: new Map() },
          { manager: "before-first-apply", object: live, schema },
        ).managers
      : reconciled(state.managers, schema),
  );
  const name = `${write.manager} Apply`;
  const last = managers.get(name);
  const merged = merge(live, applied, schema) as JsonObject;
  managers.set(name, fieldsIn(applied, schema));
  const pruned = prune({ merged, schema, last, managed: union(...managers.values()) });
  const changes = compare(live, pruned, schema);
  const conflicts = conflictsIn(managers, name, union(changes.modified, changes.added));
  if (conflicts.size > 0 && !write.force) return { kind: "conflict", conflicts };
  return {
    kind: "written",
    state: { live: pruned, managers: released(managers, name, changes) },
  };
}

/** What lies inside a value that is atomic now stands for the value itself. */
function reconciled(
  managers: ReadonlyMap<string, PathSet>,
  schema: Schema,
): ReadonlyMap<string, PathSet> {
  const shortened = (path: string): string => {
    const elements = JSON.parse(path) as string[];
    let at: Schema | undefined = schema;
    for (let length = 1; length < elements.length; length++) {
      const element = elements[length - 1] ?? "";
      at = at?.type === "array" ? at.items : fieldSchema(at, element.slice(2));
      if (at !== undefined && isWhole(at)) return text(elements.slice(0, length));
    }
    return path;
  };
  return new Map([...managers].map(([name, owned]) => [name, new Set([...owned].map(shortened))]));
}

interface Changes {
  readonly added: Set<string>;
  readonly modified: Set<string>;
  readonly removed: Set<string>;
}

/** One child of a map or list: its step of the path, its value and the schema of that. */
interface Part {
  readonly element: string;
  readonly value: Json;
  readonly schema: Schema | undefined;
}

function conflictsIn(
  managers: ReadonlyMap<string, PathSet>,
  writer: string,
  changed: PathSet,
): Map<string, PathSet> {
  const conflicts = new Map<string, PathSet>();
  for (const [name, owned] of managers) {
    const both = new Set([...owned].filter((path) => changed.has(path)));
    if (name !== writer && both.size > 0) conflicts.set(name, both);
  }
  return conflicts;
}

/** What a write changes or removes is nobody's any more but the writer's. */
function released(
  managers: ReadonlyMap<string, PathSet>,
  writer: string,
  { added, modified, removed }: Changes,
): Map<string, PathSet> {
  const gone = union(added, modified, removed);
  const left = [...managers].map(([name, owned]): [string, PathSet] => [
    name,
    name === writer ? owned : minus(owned, gone),
  ]);
  return new Map(left.filter(([, owned]) => owned.size > 0));
}

/**
 * In three steps: all that was applied last time goes, with all inside; what somebody owns comes back; what nobody
 * owned but was not applied last time either comes back too.
 */
function prune(write: {
  readonly merged: JsonObject;
  readonly schema: Schema;
  readonly last: PathSet | undefined;
  readonly managed: PathSet;
}): JsonObject {
  const { merged, schema, last, managed } = write;
  if (last === undefined || last.size === 0) return merged;
  const all = named(fieldsIn(merged, schema), schema);
  const without = (gone: PathSet): JsonObject =>
    remove(merged, gone, { schema, path: [] }) as JsonObject;
  const left = (object: JsonObject): PathSet => named(fieldsIn(object, schema), schema);
  const first = left(without(named(last, schema)));
  const second = left(without(minus(all, union(first, named(managed, schema)))));
  const droppable = named(last, schema);
  return without(new Set([...minus(all, second)].filter((path) => droppable.has(path))));
}

/** Every field and item an object names. Maps and lists themselves only where that cannot be seen from inside. */
function fieldsIn(object: JsonObject, schema: Schema): Set<string> {
  const found = new Set<string>();
  const visit = (value: Json, of: Schema | undefined, path: string[]): void => {
    if (isWhole(of)) return void found.add(text(path));
    const parts = partsOf(value, of);
    for (const part of parts) {
      const below = [...path, part.element];
      const isRepeated = parts.filter(({ element }) => element === part.element).length > 1;
      if (isRepeated) {
        found.add(text(below));
        continue;
      }
      visit(part.value, part.schema, below);
      const isItem = of?.type === "array";
      const isEmptyMap = isObject(part.value) && Object.keys(part.value).length === 0;
      if (isItem || isEmptyMap || !isDeclared(of, part.element)) found.add(text(below));
    }
  };
  visit(object, schema, []);
  return found;
}

function compare(before: JsonObject, after: JsonObject, schema: Schema): Changes {
  const changes: Changes = { added: new Set(), modified: new Set(), removed: new Set() };
  const note = (old: Json | undefined, next: Json | undefined, path: string[]): void => {
    if (old === undefined) changes.added.add(text(path));
    else if (next === undefined) changes.removed.add(text(path));
    else if (!jsonEqual(old, next)) changes.modified.add(text(path));
  };
  const visit = (
    old: Json | undefined,
    next: Json | undefined,
    at: { schema: Schema | undefined; path: string[] },
  ): void => {
    const { schema: of, path } = at;
    if (path.length > 0 && (isWhole(of) || (isEmpty(old) && isEmpty(next)))) {
      return note(old, next, path);
    }
    const olds = partsOf(old, of);
    const nexts = partsOf(next, of);
    for (const element of new Set([...olds, ...nexts].map((part) => part.element))) {
      const left = olds.filter((part) => part.element === element);
      const right = nexts.filter((part) => part.element === element);
      const below = { schema: [...left, ...right][0]?.schema, path: [...path, element] };
      if (left.length <= 1 && right.length <= 1) visit(left[0]?.value, right[0]?.value, below);
      else if (left.length > 1 && right.length > 1) {
        note(
          left.map(({ value }) => value),
          right.map(({ value }) => value),
          below.path,
        );
      } else if (left.length > 1) {
        if (right[0] !== undefined) visit(undefined, right[0].value, below);
        changes.removed.add(text(below.path));
      } else {
        if (left[0] !== undefined) visit(left[0].value, undefined, below);
        changes.added.add(text(below.path));
      }
    }
    if (path.length === 0) return;
    if (old === undefined) changes.added.add(text(path));
    if (next === undefined) changes.removed.add(text(path));
  };
  visit(before, after, { schema, path: [] });
  return changes;
}

function merge(live: Json | undefined, applied: Json | undefined, schema?: Schema): Json {
  if (isWhole(schema) || (isEmpty(live) && isEmpty(applied))) return applied ?? live ?? null;
  const lives = partsOf(live, schema);
  const applieds = partsOf(applied, schema);
  const both = (element: string): Json => {
    const of = [...lives, ...applieds].find((part) => part.element === element)?.schema;
    const mine = lives.filter((part) => part.element === element);
    const asked = applieds.find((part) => part.element === element);
    // What stands twice in the live list is not merged but replaced.
    return merge(mine.length > 1 ? undefined : mine[0]?.value, asked?.value, of);
  };
  if (schema?.type === "array") return mergeItems(lives, applieds, both);
  const fields = new Set([...lives, ...applieds].map((part) => part.element));
  return Object.fromEntries([...fields].map((element) => [element.slice(2), both(element)]));
}

/**
 * Two fingers walk along the live and the applied list. Where they point at the same item it is taken; an item only
 * the live list has is taken as soon as it is reached; a live item that the applied list has somewhere else is
 * passed over, unless it is the next one they share: then the applied list catches up first.
 */
function mergeItems(
  lives: readonly Part[],
  applieds: readonly Part[],
  both: (element: string) => Json,
): Json[] {
  const isApplied = (element: string): boolean => applieds.some((part) => part.element === element);
  const isLive = (element: string): boolean => lives.some((part) => part.element === element);
  const shared = applieds.map((part) => part.element).filter(isLive);
  const taken = new Set<string>();
  const merged: Json[] = [];
  let left = 0;
  let right = 0;
  const takeApplied = (element: string): void => {
    merged.push(both(element));
    taken.add(element);
    if (shared[0] === element) shared.shift();
    right++;
  };
  while (left < lives.length || right < applieds.length) {
    const mine = lives[left];
    const asked = applieds[right]?.element;
    if (mine !== undefined && asked !== undefined) {
      if (mine.element === asked) {
        takeApplied(asked);
        left++;
        continue;
      }
      if (isApplied(mine.element) && shared.length > 0 && shared[0] !== mine.element) {
        left++;
        continue;
      }
    }
    if (mine !== undefined) {
      if (!isApplied(mine.element)) {
        merged.push(mine.value);
        left++;
        continue;
      }
      if (taken.has(mine.element)) left++;
    }
    if (asked !== undefined) takeApplied(asked);
  }
  return merged;
}

/** The value without the paths of the set; what is emptied by that stays as an empty map or list. */
function remove(
  value: Json,
  gone: PathSet,
  { schema, path }: { readonly schema: Schema | undefined; readonly path: readonly string[] },
): Json {
  if (isWhole(schema)) return value;
  const kept = partsOf(value, schema)
    .filter((part) => !gone.has(text([...path, part.element])))
    .map((part) => ({
      ...part,
      value: remove(part.value, gone, { schema: part.schema, path: [...path, part.element] }),
    }));
  if (schema?.type === "array") return kept.map((part) => part.value);
  return Object.fromEntries(kept.map((part) => [part.element.slice(2), part.value]));
}

/** The set with every declared field on the way to one of its paths. */
function named(set: PathSet, schema: Schema): Set<string> {
  const result = new Set(set);
  for (const path of set) {
    const elements = JSON.parse(path) as string[];
    let at: Schema | undefined = schema;
    for (let length = 1; length < elements.length; length++) {
      const element = elements[length - 1] ?? "";
      if (isDeclared(at, element)) result.add(text(elements.slice(0, length)));
      at = element.startsWith("f:") ? fieldSchema(at, element.slice(2)) : at?.items;
    }
  }
  return result;
}

function partsOf(value: Json | undefined, schema: Schema | undefined): Part[] {
  if (Array.isArray(value)) {
    return value.map((item) => ({
      element: elementOf(item, schema),
      value: item,
      schema: schema?.items,
    }));
  }
  if (!isObject(value)) return [];
  return Object.entries(value).map(([field, child]) => ({
    element: `f:${field}`,
    value: child,
    schema: fieldSchema(schema, field),
  }));
}

/** A key that is missing takes its default; without one it is left out. */
function elementOf(item: Json, list: Schema | undefined): string {
  if (list?.listType !== "map" || !isObject(item)) return `v:${JSON.stringify(item)}`;
  const keys = (list.listMapKeys ?? []).toSorted().flatMap((key) => {
    const value = item[key] ?? list.items?.properties?.[key]?.default;
    return value === undefined ? [] : [[key, value] as const];
  });
  return `k:${JSON.stringify(Object.fromEntries(keys))}`;
}

function isWhole(schema: Schema | undefined): boolean {
  if (schema?.type === "object") return schema.mapType === "atomic";
  return schema?.type !== "array" || (schema.listType ?? "atomic") === "atomic";
}

function isEmpty(value: Json | undefined): boolean {
  if (value === undefined || value === null) return true;
  if (Array.isArray(value)) return value.length === 0;
  return isObject(value) && Object.keys(value).length === 0;
}

function isDeclared(schema: Schema | undefined, element: string): boolean {
  return element.startsWith("f:") && Object.hasOwn(schema?.properties ?? {}, element.slice(2));
}

function fieldSchema(schema: Schema | undefined, field: string): Schema | undefined {
  return schema?.properties?.[field] ?? schema?.values;
}

function minus(set: PathSet, other: PathSet): Set<string> {
  return new Set([...set].filter((path) => !other.has(path)));
}

function union(...sets: readonly PathSet[]): Set<string> {
  return new Set(sets.flatMap((set) => [...set]));
}

function text(path: readonly string[]): string {
  return JSON.stringify(path);
}
