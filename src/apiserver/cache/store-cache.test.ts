import assert from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "#base/log.ts";
import { createMemoryStore } from "#storage/memory-store.ts";
import { CompactedError, type Store } from "#storage/store.ts";
import { encodeStored } from "#apiserver/cache/stored-object.ts";
import { createStoreCache } from "#apiserver/cache/store-cache.ts";
import { TestClock } from "#test/api-server.ts";

const prefix = "/registry/core/configmaps/";

function bytesOf(name: string): Uint8Array {
  const object = {
    kind: "ConfigMap",
    apiVersion: "v1",
    metadata: { name },
    data: { metadata: "{" },
  };
  return encodeStored(object);
}

/** A store as a remote one is: it can only be watched, and the watch may break. */
function remote(store: Store, breakWatch?: () => Error | undefined): Store {
  return {
    revision: () => store.revision(),
    compactedRevision: () => store.compactedRevision(),
    get: (key) => store.get(key),
    list: (range, options) => store.list(range, options),
    put: (key, value, expected) => store.put(key, value, expected),
    delete: (key, expected) => store.delete(key, expected),
    compact: (revision) => store.compact(revision),
    async *watch(range, from, signal) {
      const error = breakWatch?.();
      if (error !== undefined) throw error;
      yield* store.watch(range, from, signal);
    },
    [Symbol.asyncDispose]: () => store[Symbol.asyncDispose](),
  };
}

for (const kind of ["embedded", "remote"] as const) {
  test(`createStoreCache() shows what was written before, over a store that is ${kind}`, async () => {
    const memory = createMemoryStore();
    const store = kind === "remote" ? remote(memory) : memory;
    await store.put(`${prefix}default/a`, bytesOf("a"), 0);
    await using cache = await createStoreCache({ store, log: silentLog, clock: new TestClock() });
    await store.put(`${prefix}default/b`, bytesOf("b"), 0);
    const last = await store.delete(`${prefix}default/a`, 1);
    await cache.current();
    const objects = cache.resource(prefix).list(prefix);
    assert.deepEqual(
      objects.map(({ key, revision, object }) => [key, revision, object]),
      [
        [
          `${prefix}default/b`,
          2,
          {
            kind: "ConfigMap",
            apiVersion: "v1",
            metadata: { resourceVersion: "2", name: "b" },
            data: { metadata: "{" },
          },
        ],
      ],
    );
    assert.ok(last.ok && cache.revision === last.revision);
  });
}

test("createStoreCache() finds out by a listing what it missed while history was compacted", async () => {
  const memory = createMemoryStore();
  let failures = 1;
  const store = remote(memory, () => (failures-- > 0 ? new CompactedError(9) : undefined));
  const clock = new TestClock();
  await store.put(`${prefix}default/a`, bytesOf("a"), 0);
  await store.put(`${prefix}default/b`, bytesOf("b"), 0);
  await using cache = await createStoreCache({ store, log: silentLog, clock });
  const told = new Set<string>();
  cache.resource(prefix).watch({
    prefix,
    onChange: ({ current, previous }) => told.add(`${previous?.key.at(-1)} ${current?.key.at(-1)}`),
  });
  await store.delete(`${prefix}default/a`, 1);
  await store.put(`${prefix}default/c`, bytesOf("c"), 0);
  const current = cache.current();
  await new Promise((resolve) => setImmediate(resolve));
  clock.advance(1_000);
  await current;
  assert.deepEqual(told, new Set(["a undefined", "undefined c"]));
  const keys = cache
    .resource(prefix)
    .list(prefix)
    .map(({ key }) => key.at(-1));
  assert.deepEqual(keys, ["b", "c"]);
});

test("ResourceCache lists by namespace and keeps namespaces apart whose names begin alike", async () => {
  const store = createMemoryStore();
  await using cache = await createStoreCache({ store, log: silentLog, clock: new TestClock() });
  for (const key of ["a/z", "a-b/y", "b/x", "a/a"]) await store.put(prefix + key, bytesOf("n"), 0);
  const resource = cache.resource(prefix);
  const keys = (scope: string) =>
    resource.list(prefix + scope).map(({ key }) => key.slice(prefix.length));
  assert.deepEqual(
    [keys("a/"), keys("")],
    [
      ["a/a", "a/z"],
      ["a-b/y", "a/a", "a/z", "b/x"],
    ],
  );
});
