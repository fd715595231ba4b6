import assert from "node:assert/strict";
import { test } from "node:test";
import type { Json } from "#api/meta.ts";
import type { JsonObject } from "#api/kind.ts";
import { seededRandom } from "#base/random.ts";
import { handOver, takeOver } from "#apiserver/cache/handed-over.ts";
import { encodeStored, fromStoredBytes } from "#apiserver/cache/stored-object.ts";

const random = seededRandom(5);
const names = [
  "b",
  "a",
  "10",
  "2",
  "__proto__",
  "kind",
  "metadata",
  "resourceVersion",
  "ü\ud800",
  "",
];

function pick<T>(from: readonly T[]): T {
  return from[Math.floor(random() * from.length)] as T;
}

/** What JSON gives back as it was and, when `odd`, now and then something that it does not. */
function anyValue(depth: number, odd: boolean): unknown {
  if (odd && random() < 0.05) {
    return pick<unknown>([undefined, Number.NaN, -0, new Date(0), () => 1, Object.create(null)]);
  }
  const kind = depth === 0 ? 0 : Math.floor(random() * 3);
  if (kind === 0)
    return pick<unknown>(["", "text", "\ud800", "\n", 0, 1.5, 1e21, true, false, null]);
  const size = Math.floor(random() * 4);
  if (kind === 1) return Array.from({ length: size }, () => anyValue(depth - 1, odd));
  return anyObject(size, () => anyValue(depth - 1, odd));
}

function anyObject(size: number, value: () => unknown): JsonObject {
  const entries = Array.from({ length: size }, () => [pick(names), value()] as const);
  return Object.fromEntries(entries) as JsonObject;
}

function anyStored(odd: boolean): JsonObject {
  const metadata = { ...anyObject(3, () => anyValue(2, odd)), name: "n", resourceVersion: "7" };
  const fields = { spec: anyValue(3, odd), ...(odd && { data: anyValue(3, odd) }) };
  return { ...fields, metadata, apiVersion: "v1", kind: "Thing" } as JsonObject;
}

function isFrozenThrough(value: Json | undefined): boolean {
  if (typeof value !== "object" || value === null) return true;
  return Object.isFrozen(value) && Object.values(value).every(isFrozenThrough);
}

test("takeOver() gives what a parse of the bytes gives, order of fields included, or nothing", () => {
  const taken = { plain: 0, odd: 0 };
  for (let round = 0; round < 2_000; round += 1) {
    const odd = round % 2 === 1;
    const object = anyStored(odd);
    const value = encodeStored(object);
    const parsed = fromStoredBytes({ key: "k", value, revision: 12 }).draft();
    handOver(value, object);
    const given = takeOver(value, 12);
    assert.equal(takeOver(value, 12), undefined);
    if (given === undefined) {
      assert.ok(odd, "plain JSON is always taken over");
      continue;
    }
    taken[odd ? "odd" : "plain"] += 1;
    assert.deepStrictEqual(given, parsed);
    assert.equal(JSON.stringify(given), JSON.stringify(parsed));
    assert.ok(isFrozenThrough(given));
  }
  assert.equal(taken.plain, 1_000);
  assert.ok(taken.odd > 0);
});

test("StoredObject shows what was handed over, and drafts share nothing with it", () => {
  const inner = { a: "1" };
  const object: JsonObject = {
    kind: "Thing",
    apiVersion: "v1",
    metadata: { name: "n" },
    data: inner,
  };
  const value = encodeStored(object);
  handOver(value, object);
  const stored = fromStoredBytes({ key: "k", value, revision: 3 });
  assert.equal(stored.object.data, inner);
  const draft = stored.draft();
  assert.deepEqual(draft, stored.object);
  assert.notEqual(draft.data, inner);
  assert.throws(() => void (inner.a = "2"), TypeError);
});
