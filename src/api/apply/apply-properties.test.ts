import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom, type Random } from "#base/random.ts";
import type { ManagedFieldsEntry } from "#api/generated/types.ts";
import type { Json } from "#api/meta.ts";
import type { JsonObject } from "#api/patch/json-object.ts";
import type { Schema } from "#api/schema.ts";
import { StatusError } from "#api/status.ts";
import { forEachPath } from "#api/apply/field-set.ts";
import { applyServerSide } from "#api/apply/server-side-apply.ts";
import { updateManagedFields } from "#api/apply/update-managed-fields.ts";
import {
  referenceApply,
  referenceUpdate,
  type ReferenceState,
} from "#test/reference/server-side-apply.ts";

const seeds = 600;
const stepsOfWorld = 8;

test("server-side apply and updates agree with a slow reference model on random kinds and objects", () => {
  for (let seed = 1; seed <= seeds; seed++) runWorld(seed);
});

/** One object of a random kind, written by three managers in turn; after each write both must say the same. */
function runWorld(seed: number): void {
  const random = seededRandom(seed);
  let schema = randomStruct(random, 3, { apiVersion: text });
  let ours: JsonObject | undefined;
  let reference: ReferenceState = { live: undefined, managers: new Map() };
  const history: unknown[] = [];
  for (let step = 0; step < stepsOfWorld; step++) {
    const manager = pick(random, ["a", "b", "c"]);
    if (seed % 2 === 0 && random() < 0.3) schema = withOtherTopology(random, schema);
    const said = `seed ${seed}, step ${step}`;
    const explain = (): string =>
      `${said}\n${JSON.stringify({ schema, live: ours, history: history.slice(-2) })}`;
    if (random() < 0.3) {
      const object = randomUpdate(random, ours, schema);
      history.push({ manager, update: object });
      ours = update(ours, object, { manager, schema, step });
      reference = referenceUpdate(reference, { manager, object, schema });
    } else {
      const applied = randomObject(random, schema);
      const force = random() < 0.5;
      history.push({ manager, applied, force });
      const expected = referenceApply(reference, { manager, applied, schema, force });
      const found = apply(ours, applied, { manager, schema, step, force });
      if (expected.kind === "conflict") {
        const conflicts = [...expected.conflicts].flatMap(([, paths]) => [...paths]).length;
        check(() => assert.equal(found.conflicts, conflicts), explain);
        continue;
      }
      check(() => assert.equal(found.conflicts, 0), explain);
      ours = found.object;
      reference = expected.state;
    }
    check(() => compareWorlds(ours, reference), explain);
  }
}

function compareWorlds(ours: JsonObject | undefined, reference: ReferenceState): void {
  assert.deepEqual(contentOf(ours), reference.live ?? {});
  assert.deepEqual(managersOf(ours), sortedSets(reference.managers));
}

function check(compare: () => void, explain: () => string): void {
  try {
    compare();
  } catch (error) {
    throw new Error(`${String(error)}\n${explain()}`, { cause: error });
  }
}

interface Write {
  readonly manager: string;
  readonly schema: Schema;
  readonly step: number;
}

function update(live: JsonObject | undefined, object: JsonObject, write: Write): JsonObject {
  const next = { apiVersion: "v1", kind: "Thing", ...object };
  const metadata = live?.["metadata"];
  const managedFields = updateManagedFields({
    old: live,
    new: metadata === undefined ? next : { ...next, metadata },
    manager: write.manager,
    apiVersion: "v1",
    schema: write.schema,
    nowMs: write.step * 1000,
  });
  return {
    ...next,
    metadata: { managedFields: structuredClone(managedFields) as unknown as Json },
  };
}

function apply(
  live: JsonObject | undefined,
  applied: JsonObject,
  write: Write & { readonly force: boolean },
): { object: JsonObject | undefined; conflicts: number } {
  try {
    const { object } = applyServerSide({
      live,
      applied: { apiVersion: "v1", kind: "Thing", ...applied },
      manager: write.manager,
      force: write.force,
      apiVersion: "v1",
      schema: write.schema,
      nowMs: write.step * 1000,
    });
    return { object: structuredClone(object), conflicts: 0 };
  } catch (error) {
    if (!(error instanceof StatusError) || error.status.code !== 409) throw error;
    return { object: live, conflicts: error.status.details?.causes?.length ?? 0 };
  }
}

function contentOf(object: JsonObject | undefined): JsonObject {
  const { apiVersion: _, kind: _kind, metadata: _metadata, ...content } = object ?? {};
  return content;
}

function managersOf(object: JsonObject | undefined): Record<string, string[]> {
  const metadata = object?.["metadata"] as { managedFields?: ManagedFieldsEntry[] } | undefined;
  return sortedSets(
    new Map(
      (metadata?.managedFields ?? []).map((entry) => {
        const paths = new Set<string>();
        forEachPath(entry.fieldsV1 as never, (path) => paths.add(JSON.stringify(path)));
        return [`${entry.manager} ${entry.operation}`, paths];
      }),
    ),
  );
}

function sortedSets(sets: ReadonlyMap<string, ReadonlySet<string>>): Record<string, string[]> {
  const entries = [...sets].map(([name, set]): [string, string[]] => [name, [...set].toSorted()]);
  return Object.fromEntries(entries.toSorted(([left], [right]) => (left < right ? -1 : 1)));
}

const text: Schema = { type: "string" };

/** A kind's schema: structs, maps and lists of every type within each other. */
function randomSchema(random: Random, depth: number): Schema {
  const shapes = depth === 0 ? [0, 0, 1, 2] : [0, 1, 2, 3, 4, 5, 6, 7, 8, 8];
  switch (pick(random, shapes)) {
    case 1:
      return { type: "array", listType: "set", items: text };
    case 2:
      return { type: "object", values: text };
    case 3:
      return { type: "object", mapType: "atomic", values: text };
    case 4:
      return { type: "array", listType: "atomic", items: text };
    case 5:
      return { type: "object", values: randomSchema(random, depth - 1) };
    case 6:
      return keyedList(random, depth, { listMapKeys: ["name"], keys: { name: text } });
    case 7:
      return keyedList(random, depth, {
        listMapKeys: ["port", "protocol"],
        keys: { port: { type: "integer" }, protocol: { type: "string", default: "TCP" } },
      });
    case 8:
      return randomStruct(random, depth - 1, {});
    default:
      return text;
  }
}

/** Some lists and maps that were owned item by item are atomic now; maps may go back. */
function withOtherTopology(random: Random, schema: Schema): Schema {
  const { properties, items, values } = schema;
  const below: Schema = {
    ...schema,
    ...(items && { items: withOtherTopology(random, items) }),
    ...(values && { values: withOtherTopology(random, values) }),
    ...(properties && {
      properties: Object.fromEntries(
        Object.entries(properties).map(([field, child]) => [
          field,
          random() < 0.3 ? atomically(child) : withOtherTopology(random, child),
        ]),
      ),
    }),
  };
  return below.mapType === "atomic" && random() < 0.3 ? { ...below, mapType: "granular" } : below;
}

function atomically(schema: Schema): Schema {
  if (schema.type === "array") return { ...schema, listType: "atomic" };
  return schema.type === "object" ? { ...schema, mapType: "atomic" } : schema;
}

function keyedList(
  random: Random,
  depth: number,
  list: { readonly listMapKeys: readonly string[]; readonly keys: Record<string, Schema> },
): Schema {
  const items = randomStruct(random, depth - 1, list.keys);
  return { type: "array", listType: "map", listMapKeys: list.listMapKeys, items };
}

function randomStruct(random: Random, depth: number, more: Record<string, Schema>): Schema {
  const fields = ["p", "q", "r"].filter(() => random() < 0.8);
  const properties = fields.map(
    (field) => [field, randomSchema(random, Math.max(depth, 0))] as const,
  );
  return { type: "object", properties: { ...more, ...Object.fromEntries(properties) } };
}

function randomObject(random: Random, schema: Schema): JsonObject {
  const { apiVersion: _, ...content } = randomValue(random, schema) as JsonObject;
  return content;
}

/** An object of its own, or the live one with some fields taken from such a one. */
function randomUpdate(random: Random, live: JsonObject | undefined, schema: Schema): JsonObject {
  const fresh = repeated(random, randomObject(random, schema)) as JsonObject;
  if (random() < 0.3) return fresh;
  const mixed = { ...contentOf(live) };
  for (const field of Object.keys(schema.properties ?? {})) {
    const value = fresh[field];
    if (random() < 0.5) continue;
    if (value === undefined) delete mixed[field];
    else mixed[field] = value;
  }
  delete mixed["apiVersion"];
  return mixed;
}

/** Some items of lists a second time: an update may write that, an apply may not. */
function repeated(random: Random, value: Json): Json {
  if (Array.isArray(value)) {
    const items = value.map((item) => repeated(random, item));
    return random() < 0.2 ? [...items, ...items.slice(0, 1)] : items;
  }
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([field, child]) => [field, repeated(random, child)]),
  );
}

function randomValue(random: Random, schema: Schema): Json {
  switch (schema.type) {
    case "object": {
      const fields = schema.properties === undefined ? ["x", "y"] : Object.keys(schema.properties);
      const kept = fields.filter(() => random() < 0.6);
      return Object.fromEntries(
        kept.map((field) => [
          field,
          randomValue(random, schema.properties?.[field] ?? schema.values ?? text),
        ]),
      );
    }
    case "array":
      return randomItems(random, schema);
    case "integer":
      return pick(random, [80, 443]);
    default:
      return pick(random, ["1", "2"]);
  }
}

function randomItems(random: Random, schema: Schema): Json[] {
  const names = shuffled(random, ["k", "l", "m"]).filter(() => random() < 0.6);
  if (schema.listType !== "map") return names;
  const keys = schema.listMapKeys ?? [];
  if (keys.length === 1) {
    return names.map((name) => ({
      ...(randomValue(random, schema.items ?? text) as JsonObject),
      name,
    }));
  }
  const ports = shuffled<JsonObject>(random, [
    { port: 80 },
    { port: 80, protocol: "UDP" },
    { port: 443, protocol: "TCP" },
    { protocol: "SCTP" },
  ]).filter(() => random() < 0.5);
  return ports.map((port) => {
    const {
      port: _,
      protocol: _protocol,
      ...rest
    } = randomValue(random, schema.items ?? text) as JsonObject;
    return { ...rest, ...port };
  });
}

function shuffled<T>(random: Random, items: readonly T[]): T[] {
  return items
    .map((item) => ({ item, order: random() }))
    .toSorted((left, right) => left.order - right.order)
    .map(({ item }) => item);
}

function pick<T>(random: Random, items: readonly T[]): T {
  return items[Math.floor(random() * items.length)] as T;
}
