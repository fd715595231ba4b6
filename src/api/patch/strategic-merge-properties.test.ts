import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom, type Random } from "#base/random.ts";
import type { Json } from "#api/meta.ts";
import type { JsonObject } from "#api/patch/json-object.ts";
import { applyStrategicMergePatch } from "#api/patch/strategic-merge-patch.ts";
import type { Schema } from "#api/schema.ts";
import { referenceStrategicMerge } from "#test/reference/strategic-merge.ts";

const seeds = 8000;

test("strategic merge patches with all directives agree with a slow reference model on random inputs", () => {
  for (let seed = 1; seed <= seeds; seed++) {
    const random = seededRandom(seed);
    const schema = randomStruct(random, 3);
    const document = randomValue(random, schema) as JsonObject;
    const patch = randomPatch(random, document, schema);
    const found = applyStrategicMergePatch(document, patch, schema);
    const expected = referenceStrategicMerge(document, patch, schema);
    try {
      assert.deepEqual(found, expected);
    } catch (error) {
      const said = JSON.stringify({ seed, schema, document, patch, found, expected });
      throw new Error(`${String(error)}\n${said}`, { cause: error });
    }
  }
});

const text: Schema = { type: "string" };

function randomSchema(random: Random, depth: number): Schema {
  const shapes = depth === 0 ? [0, 0, 1, 2, 3] : [0, 1, 2, 3, 4, 5, 6, 7, 7, 7];
  switch (pick(random, shapes)) {
    case 1:
      return { type: "array", items: text };
    case 2:
      return { type: "array", items: text, patchStrategy: "merge" };
    case 3:
      return { type: "object", values: text };
    case 4:
      return { ...randomStruct(random, depth - 1), patchStrategy: "replace" };
    case 5:
      return { type: "array", items: randomStruct(random, depth - 1) };
    case 6:
      return randomStruct(random, depth - 1);
    case 7:
      return randomMergeList(random, depth);
    default:
      return text;
  }
}

/** Lists merge by one key only; that of ports is not what makes them differ, so that some share it. */
function randomMergeList(random: Random, depth: number): Schema {
  const isPorts = random() < 0.4;
  const properties = isPorts ? { port: { type: "integer" }, protocol: text } : { name: text };
  const items = randomStruct(random, depth - 1);
  return {
    type: "array",
    patchStrategy: pick(random, ["merge", "merge,retainKeys"]),
    patchMergeKey: isPorts ? "port" : "name",
    items: { ...items, properties: { ...items.properties, ...(properties as object) } },
  };
}

function randomStruct(random: Random, depth: number): Schema {
  const fields = ["p", "q", "r", "s"].filter(() => random() < 0.7);
  const properties = fields.map((field) => [field, randomSchema(random, Math.max(depth, 0))]);
  return { type: "object", properties: Object.fromEntries(properties) as Record<string, Schema> };
}

function randomValue(random: Random, schema: Schema): Json {
  if (schema.type === "array") return randomItems(random, schema);
  if (schema.type === "integer") return pick(random, [80, 443]);
  if (schema.type !== "object") return pick(random, ["1", "2", "3"]);
  return Object.fromEntries(
    fieldsOf(schema)
      .filter(() => random() < 0.6)
      .map((field) => [field, randomValue(random, schemaOf(schema, field))]),
  );
}

function randomItems(random: Random, schema: Schema): Json[] {
  const items = schema.items ?? text;
  const names = some(random, ["k", "l", "m", "n"]);
  if (schema.patchMergeKey === "port") {
    const ports = some(random, [
      { port: 80, protocol: "TCP" },
      { port: 443, protocol: "TCP" },
      { port: 443, protocol: "UDP" },
      { port: 53, protocol: "UDP" },
    ]);
    return ports.map((port) => ({ ...(randomValue(random, items) as JsonObject), ...port }));
  }
  if (items.type !== "object") return names;
  if (schema.patchMergeKey === undefined) return names.map(() => randomValue(random, items));
  return names.map((name) => ({ ...(randomValue(random, items) as JsonObject), name }));
}

/** A patch that applies: every directive stands where it means something, and sometimes where there is nothing yet. */
function randomPatch(random: Random, document: JsonObject, schema: Schema): JsonObject {
  const patch: JsonObject = {};
  for (const field of fieldsOf(schema)) {
    if (random() < 0.5) continue;
    const current = document[field];
    const of = schemaOf(schema, field);
    if (random() < 0.15) patch[field] = null;
    else if (of.type === "array") patchList(random, { patch, field, current, schema: of });
    else if (of.type === "object") patch[field] = randomObjectPatch(random, current, of);
    else patch[field] = randomValue(random, of);
  }
  if (random() < 0.15) {
    const named = Object.keys(patch).map((key) => key.replace(/^\$[a-zA-Z]+\//, ""));
    const more = fieldsOf(schema).filter(() => random() < 0.3);
    patch["$retainKeys"] = [...new Set([...named, ...more])];
  }
  return patch;
}

function randomObjectPatch(random: Random, current: Json | undefined, schema: Schema): JsonObject {
  const patch = randomPatch(random, (current ?? {}) as JsonObject, schema);
  if (random() > 0.15) return patch;
  if (random() < 0.5) return { $patch: "delete" };
  return { $patch: "replace", ...(randomValue(random, schema) as JsonObject) };
}

interface ListPatch {
  readonly patch: JsonObject;
  readonly field: string;
  readonly current: Json | undefined;
  readonly schema: Schema;
}

function patchList(random: Random, { patch, field, current, schema }: ListPatch): void {
  const server = (current ?? []) as Json[];
  const key = schema.patchMergeKey;
  if (key === undefined) return patchPlainList(random, { patch, field, current, schema });
  const change = randomItems(random, schema).map((item) => {
    const known = server.find((other) => (other as JsonObject)[key] === (item as JsonObject)[key]);
    const body = randomPatch(random, (known ?? {}) as JsonObject, schema.items ?? text);
    return itemPatch(random, { body, item: item as JsonObject, key });
  });
  const list = random() < 0.08 ? [...change, { $patch: "replace" }] : change;
  if (random() < 0.8) patch[field] = list;
  if (random() < 0.5) {
    const kept = field in patch ? change.filter((item) => item["$patch"] === undefined) : [];
    const names = kept.map((item) => item[key] ?? null);
    const others = server.map((item) => (item as JsonObject)[key] ?? null);
    const order = mixedOrder(random, names, some(random, others));
    patch[`$setElementOrder/${field}`] = order.map((name) => ({ [key]: name }));
  }
}

function itemPatch(
  random: Random,
  {
    body,
    item,
    key,
  }: { readonly body: JsonObject; readonly item: JsonObject; readonly key: string },
): JsonObject {
  const name = { [key]: item[key] ?? null };
  if (random() < 0.15) return { $patch: "delete", ...name };
  const retained = body["$retainKeys"] as string[] | undefined;
  return {
    ...body,
    ...name,
    ...(retained !== undefined && { $retainKeys: [...new Set([...retained, key])] }),
  };
}

function patchPlainList(random: Random, { patch, field, current, schema }: ListPatch): void {
  const change = randomItems(random, schema);
  const isMerged = schema.patchStrategy !== undefined;
  if (!isMerged || random() < 0.7) patch[field] = change;
  if (!isMerged) return;
  const server = (current ?? []) as Json[];
  const added = field in patch ? change : [];
  const gone = server.filter((item) => !added.includes(item) && random() < 0.3);
  if (gone.length > 0) patch[`$deleteFromPrimitiveList/${field}`] = gone;
  if (random() < 0.5) patch[`$setElementOrder/${field}`] = mixedOrder(random, added, server);
}

/** The names in their order, one that is there twice too, with others among them. */
function mixedOrder(random: Random, names: readonly Json[], others: readonly Json[]): Json[] {
  const order = [...names];
  for (const other of others) {
    if (!order.includes(other)) order.splice(Math.floor(random() * (order.length + 1)), 0, other);
  }
  return order;
}

function fieldsOf(schema: Schema): string[] {
  return schema.properties === undefined ? ["x", "y", "z"] : Object.keys(schema.properties);
}

function schemaOf(schema: Schema, field: string): Schema {
  return schema.properties?.[field] ?? schema.values ?? text;
}

function some<T>(random: Random, items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, order: random() }))
    .filter(({ order }) => order < 0.6)
    .toSorted((left, right) => left.order - right.order)
    .map(({ item }) => item);
}

function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)] as T;
}
