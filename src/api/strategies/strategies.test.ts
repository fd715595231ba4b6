import assert from "node:assert/strict";
import test from "node:test";
import { builtinKinds } from "#api/kinds/builtin-kinds.ts";
import type { JsonObject, Kind } from "#api/kind.ts";
import type { Json } from "#api/meta.ts";
import type { Schema } from "#api/schema.ts";
import { type Random, seededRandom } from "#base/random.ts";

const rounds = 60;

test("strategies: defaulting what is defaulted changes nothing, whatever the object", () => {
  forEachObject((kind, object) => {
    const { fillDefaults } = kind.strategy;
    fillDefaults?.(object);
    const once = structuredClone(object);
    fillDefaults?.(object);
    assert.deepEqual(object, once, kind.kind);
  });
});

test("strategies: no check throws, whatever the object, and every cause names its reason", () => {
  forEachObject((kind, object, old) => {
    const { strategy } = kind;
    const causes = [
      ...(strategy.validate?.(object) ?? []),
      ...(strategy.validateUpdate?.(object, old) ?? []),
      ...(strategy.validateStatusUpdate?.(object, old) ?? []),
    ];
    for (const cause of causes) assert.match(cause.reason ?? "", /^FieldValue/);
    assert.ok(Array.isArray(strategy.warnings?.(object) ?? []));
    for (const value of Object.values(strategy.selectableFields ?? {})) {
      assert.equal(typeof value(object), "string");
    }
    strategy.gracePeriodSeconds?.(object, undefined);
    strategy.fillDefaults?.(object);
    strategy.prepareForCreate?.(object);
    strategy.prepareForUpdate?.(object, old);
    strategy.validateUpdate?.(object, old);
  });
});

test("strategies: an update that changes nothing changes no immutable field", () => {
  forEachObject((kind, object) => {
    const { strategy } = kind;
    strategy.fillDefaults?.(object);
    const alone = new Set((strategy.validate?.(object) ?? []).map((cause) => cause.message));
    const causes = strategy.validateUpdate?.(object, structuredClone(object)) ?? [];
    const immutable = causes.filter(
      (cause) => cause.message?.endsWith("field is immutable") && !alone.has(cause.message),
    );
    assert.deepEqual(immutable, [], kind.kind);
  });
});

function forEachObject(act: (kind: Kind, object: JsonObject, old: JsonObject) => void): void {
  const random = seededRandom(7);
  for (const kind of builtinKinds()) {
    for (let round = 0; round < rounds; round++) {
      const object = { ...(randomValue(kind.schema, random, 0) as JsonObject) };
      const old = { ...(randomValue(kind.schema, random, 0) as JsonObject) };
      for (const one of [object, old]) {
        one.metadata = { name: "x", ...(one.metadata as JsonObject | null) };
      }
      act(kind, object, old);
    }
  }
}

const texts = [
  "",
  "a",
  "None",
  "Always",
  "10.0.0.1",
  "fd00::1",
  "1Gi",
  "500m",
  "25%",
  "../x",
  "*/5 * * * *",
  "a.b/c",
  "é",
  "TCP",
  "Indexed",
];
const depthMax = 9;

/** A value of the schema's types: fields missing, null or filled at random. */
function randomValue(schema: Schema, random: Random, depth: number): Json {
  const pick = <T>(list: readonly T[]): T => list[Math.floor(random() * list.length)]!;
  const roll = random();
  if (roll < 0.05 && depth > 0) return null;
  switch (schema.type) {
    case "string":
      return pick(texts);
    case "integer":
    case "number":
      return pick([-1, 0, 1, 5, 70_000]);
    case "boolean":
      return roll < 0.5;
    case "array": {
      if (depth > depthMax || !schema.items) return [];
      const length = Math.floor(random() * 3);
      return Array.from({ length }, () => randomValue(schema.items!, random, depth + 1));
    }
    case "object": {
      if (depth > depthMax) return {};
      if (schema.values) return { [pick(texts)]: randomValue(schema.values, random, depth + 1) };
      const chance = depth < 2 ? 0.9 : 0.4;
      return Object.fromEntries(
        Object.entries(schema.properties ?? {})
          .filter(() => random() < chance)
          .map(([name, field]) => [name, randomValue(field, random, depth + 1)]),
      );
    }
    default:
      return schema.format === "int-or-string" || schema.format === "quantity"
        ? pick<Json>(["1", "10%", 3, "1Gi", "x"])
        : pick<Json>([{ a: 1 }, "x", 1]);
  }
}
