import type { Json } from "#api/meta.ts";
import { isObject, type JsonObject } from "#api/patch/json-object.ts";
import type { Schema } from "#api/schema.ts";

/**
 * Strategic merge patch, slow and plain: for each field one question after the other, every list searched from its
 * start. It shares no code with #api/patch and follows upstream's published rules (strategic-merge-patch.md and
 * preserve-order-in-strategic-merge-patch.md). Only for tests, and only for patches that apply.
 */
export function referenceStrategicMerge(
  document: JsonObject,
  patch: JsonObject,
  schema: Schema | undefined,
): JsonObject {
  if (patch["$patch"] === "delete") return {};
  if (patch["$patch"] === "replace") return without(patch, ["$patch"]);
  const retained = patch["$retainKeys"] as string[] | undefined;
  const merged: JsonObject = {};
  const asked = Object.keys(patch).map((key) => /^\$[a-zA-Z]+\/(.*)$/.exec(key)?.[1] ?? key);
  for (const field of new Set([...Object.keys(document), ...asked])) {
    if (field === "$retainKeys") continue;
    const isKept = retained === undefined || retained.includes(field);
    const result = mergeField(isKept ? document[field] : undefined, {
      change: patch[field],
      order: patch[`$setElementOrder/${field}`] as Json[] | undefined,
      deleted: patch[`$deleteFromPrimitiveList/${field}`] as Json[] | undefined,
      schema: schema?.properties?.[field] ?? schema?.values,
    });
    if (result !== undefined) merged[field] = result;
  }
  return merged;
}

interface Change {
  readonly change: Json | undefined;
  readonly order: Json[] | undefined;
  readonly deleted: Json[] | undefined;
  readonly schema: Schema | undefined;
}

/** What becomes of one field; undefined when it goes. */
function mergeField(current: Json | undefined, change: Change): Json | undefined {
  const merged = ordered(mergeValue(current, change), current, change);
  if (change.deleted === undefined || !Array.isArray(merged)) return merged;
  return merged.filter((item) => !change.deleted?.includes(item));
}

function mergeValue(current: Json | undefined, { change, schema }: Change): Json | undefined {
  if (change === undefined) return current;
  if (change === null) return undefined;
  const strategies = schema?.patchStrategy?.split(",") ?? [];
  if (isObject(current) && isObject(change)) {
    if (strategies.includes("replace")) return change;
    return referenceStrategicMerge(current, change, schema);
  }
  if (Array.isArray(current) && Array.isArray(change)) {
    if (!strategies.includes("merge")) return change;
    return mergeList(current, change, schema);
  }
  return newValue(change);
}

/** What the document did not have before: no null and no directive has anything to act on. */
function newValue(value: Json): Json | undefined {
  if (Array.isArray(value)) return value.flatMap((item) => newValue(item) ?? []);
  if (!isObject(value)) return value;
  if ("$patch" in value) return undefined;
  const result: JsonObject = {};
  for (const [field, child] of Object.entries(value)) {
    const next = field.startsWith("$") || child === null ? undefined : newValue(child);
    if (next !== undefined) result[field] = next;
  }
  return result;
}

function mergeList(current: Json[], change: Json[], schema: Schema | undefined): Json[] {
  const key = schema?.patchMergeKey;
  if (![...current, ...change].some(isObject)) {
    const both = [...current, ...change];
    const merged = both.filter((item, index) => both.indexOf(item) === index);
    return inOrder(merged, { order: change, server: current, key: undefined });
  }
  const items = change as JsonObject[];
  const plain = items.filter((item) => item["$patch"] === undefined);
  if (items.some((item) => item["$patch"] === "replace")) {
    return inOrder(plain, { order: [], server: plain, key });
  }
  const deleted = items.filter((item) => item["$patch"] === "delete");
  const server = current.filter((item) => !deleted.some((gone) => isSame(gone, item, key)));
  const merged = [...server];
  for (const item of plain) {
    const place = merged.findIndex((other) => isSame(item, other, key));
    if (place < 0) merged.push(newValue(item) ?? {});
    else merged[place] = referenceStrategicMerge(merged[place] as JsonObject, item, schema?.items);
  }
  return inOrder(merged, { order: plain, server, key });
}

/** The list put in the order that `$setElementOrder` asks for; that of the patch and the server come after it. */
function ordered(
  merged: Json | undefined,
  current: Json | undefined,
  { order, schema }: Change,
): Json | undefined {
  if (order === undefined || !Array.isArray(merged)) return merged;
  const server = Array.isArray(current) ? current : [];
  const key = merged.some(isObject) ? schema?.patchMergeKey : undefined;
  return inOrder(merged, { order, server, key });
}

/**
 * Two queues: the items that `order` names, in its order, and the others, in the server's. The next of the others goes
 * first only where the server had it before the next named one.
 */
function inOrder(
  items: readonly Json[],
  by: { readonly order: Json[]; readonly server: Json[]; readonly key: string | undefined },
): Json[] {
  const placeIn = (list: readonly Json[], item: Json): number =>
    list.findIndex((other) => isSame(item, other, by.key));
  const sorted = (list: readonly Json[], of: Json[]): Json[] =>
    of.flatMap((_, place) => list.filter((item) => placeIn(of, item) === place));
  const named = sorted(
    items.filter((item) => placeIn(by.order, item) >= 0),
    by.order,
  );
  const others = sorted(
    items.filter((item) => placeIn(by.order, item) < 0),
    by.server,
  );
  const result: Json[] = [];
  while (named.length > 0 || others.length > 0) {
    const [first] = named;
    const [other] = others;
    const isBefore =
      first === undefined ||
      (other !== undefined &&
        placeIn(by.server, first) >= 0 &&
        placeIn(by.server, other) < placeIn(by.server, first));
    result.push((other !== undefined && isBefore ? others : named).shift() ?? null);
  }
  return result;
}

function isSame(left: Json, right: Json, key: string | undefined): boolean {
  if (key === undefined) return left === right;
  return isObject(left) && isObject(right) && left[key] === right[key];
}

function without(object: JsonObject, fields: readonly string[]): JsonObject {
  return Object.fromEntries(Object.entries(object).filter(([field]) => !fields.includes(field)));
}
