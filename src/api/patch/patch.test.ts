import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom, type Random } from "#base/random.ts";
import type { Json } from "#api/meta.ts";
import { schemaOf } from "#api/schemas/builtin-schemas.ts";
import type { Schema } from "#api/schema.ts";
import { StatusError } from "#api/status.ts";
import { applyJsonPatch } from "#api/patch/json-patch.ts";
import { applyMergePatch, createMergePatch } from "#api/patch/merge-patch.ts";
import { applyStrategicMergePatch } from "#api/patch/strategic-merge-patch.ts";

function freeze<T>(value: T): T {
  if (typeof value === "object" && value !== null) Object.values(value).forEach(freeze);
  return Object.freeze(value);
}

function refusalOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof StatusError, String(error));
    return `${error.status.code} ${error.message}`;
  }
  return "no refusal";
}

const deep = { a: { b: [1, 2, 3] }, "x/y": 1, "m~n": 2 };

const jsonPatches: [string, Json, Json, Json][] = [
  ["add a field", { a: 1 }, [{ op: "add", path: "/b", value: 2 }], { a: 1, b: 2 }],
  ["add replaces", { a: 1 }, [{ op: "add", path: "/a", value: 2 }], { a: 2 }],
  ["add into a list", { a: [1, 3] }, [{ op: "add", path: "/a/1", value: 2 }], { a: [1, 2, 3] }],
  ["add at the end", { a: [1] }, [{ op: "add", path: "/a/-", value: [2] }], { a: [1, [2]] }],
  ["add at the length", { a: [1] }, [{ op: "add", path: "/a/1", value: 2 }], { a: [1, 2] }],
  ["add null", {}, [{ op: "add", path: "/a", value: null }], { a: null }],
  ["add the whole", { a: 1 }, [{ op: "add", path: "", value: [1] }], [1]],
  ["add nested", { a: {} }, [{ op: "add", path: "/a/b", value: {} }], { a: { b: {} } }],
  ["add the empty name", {}, [{ op: "add", path: "/", value: 1 }], { "": 1 }],
  ["remove a field", { a: 1, b: 2 }, [{ op: "remove", path: "/a" }], { b: 2 }],
  ["remove an item", { a: [1, 2, 3] }, [{ op: "remove", path: "/a/1" }], { a: [1, 3] }],
  ["remove the last item", { a: [1, 2] }, [{ op: "remove", path: "/a/-1" }], { a: [1] }],
  ["replace", { a: 1 }, [{ op: "replace", path: "/a", value: "x" }], { a: "x" }],
  ["replace an item", [1, 2], [{ op: "replace", path: "/0", value: 9 }], [9, 2]],
  ["replace the whole", { a: 1 }, [{ op: "replace", path: "", value: {} }], {}],
  ["move", deep, [{ op: "move", from: "/a/b/0", path: "/c" }], { ...deep, a: { b: [2, 3] }, c: 1 }],
  ["move in a list", [1, 2, 3], [{ op: "move", from: "/0", path: "/2" }], [2, 3, 1]],
  ["move onto itself", { a: 1 }, [{ op: "move", from: "/a", path: "/a" }], { a: 1 }],
  ["copy", { a: { b: 1 } }, [{ op: "copy", from: "/a", path: "/c" }], { a: { b: 1 }, c: { b: 1 } }],
  [
    "a copy stands on its own",
    { a: { b: 1 } },
    [
      { op: "copy", from: "/a", path: "/c" },
      { op: "add", path: "/c/b", value: 2 },
      { op: "add", path: "/a/d", value: 3 },
    ],
    { a: { b: 1, d: 3 }, c: { b: 2 } },
  ],
  [
    "escapes",
    deep,
    [
      { op: "remove", path: "/x~1y" },
      { op: "remove", path: "/m~0n" },
    ],
    { a: deep.a },
  ],
  ["~01 is ~1", { "~1": 1 }, [{ op: "test", path: "/~01", value: 1 }], { "~1": 1 }],
  [
    "test ignores order",
    { a: { x: 1, y: [2] } },
    [{ op: "test", path: "/a", value: { y: [2], x: 1 } }],
    { a: { x: 1, y: [2] } },
  ],
  ["test null for absent", {}, [{ op: "test", path: "/a", value: null }], {}],
  ["unknown members", {}, [{ op: "add", path: "/a", value: 1, why: "x" }], { a: 1 }],
];

test("applyJsonPatch() follows RFC 6902", () => {
  for (const [name, before, patch, after] of jsonPatches) {
    assert.deepEqual(applyJsonPatch(freeze(before), freeze(patch)), after, name);
  }
});

const jsonPatchRefusals: [Json, Json, string][] = [
  [{}, {}, "400 json: cannot unmarshal object into Go value of type jsonpatch.Patch"],
  [{}, ["x"], "400 json: cannot unmarshal string into Go value of type jsonpatch.Operation"],
  [{}, [{ op: "spam", path: "/" }], "422 Unexpected kind: spam"],
  [{}, [{ op: "add", value: 1 }], "422 add operation failed to decode path: missing value"],
  [{}, [{ op: "add", path: "/a" }], "422 add operation failed to decode value: missing value"],
  [{}, [{ op: "move", path: "/a" }], "422 move operation failed to decode from: missing value"],
  [
    {},
    [{ op: "add", path: "/a/b", value: 1 }],
    '422 add operation does not apply: doc is missing path: "/a/b": missing value',
  ],
  [
    {},
    [{ op: "remove", path: "/a" }],
    "422 error in remove for path: '/a': Unable to remove nonexistent key: a: missing value",
  ],
  [
    {},
    [{ op: "replace", path: "/a", value: 1 }],
    "422 replace operation does not apply: doc is missing key: /a: missing value",
  ],
  [
    { a: [1] },
    [{ op: "add", path: "/a/2", value: 1 }],
    "422 error in add for path: '/a/2': Unable to access invalid index: 2: invalid index referenced",
  ],
  [
    { a: [1] },
    [{ op: "remove", path: "/a/01" }],
    "422 error in remove for path: '/a/01': value was not a proper array index: '01'",
  ],
  [{ a: 1 }, [{ op: "test", path: "/a", value: 2 }], "422 testing value /a failed: test failed"],
  [{ a: "1" }, [{ op: "test", path: "/a", value: 1 }], "422 testing value /a failed: test failed"],
  [
    { a: {} },
    [{ op: "move", from: "/a", path: "/a/b" }],
    "422 error in move for path: '/a/b': a value cannot be moved into itself",
  ],
  [
    {},
    [{ op: "copy", from: "/a", path: "/b" }],
    "422 error in copy for path: '/a': unable to get nonexistent key: a: missing value",
  ],
  [
    {},
    [{ op: "add", path: "/constructor/x", value: 1 }],
    '422 add operation does not apply: doc is missing path: "/constructor/x": missing value',
  ],
];

test("applyJsonPatch() says which operation does not apply and why", () => {
  assert.deepEqual(
    jsonPatchRefusals.map(([document, patch]) => [
      document,
      patch,
      refusalOf(() => applyJsonPatch(freeze(document), patch)),
    ]),
    jsonPatchRefusals,
  );
});

test("applyJsonPatch() is bounded", () => {
  const many = Array.from({ length: 10_001 }, () => ({ op: "test", path: "", value: null }));
  assert.match(
    refusalOf(() => applyJsonPatch({}, many)),
    /^413 .*The allowed maximum operations in a JSON patch is 10000, got 10001$/,
  );
  const doubling = Array.from({ length: 40 }, (_, i) => ({
    op: "copy",
    from: "/a",
    path: `/a/${i}`,
  }));
  assert.match(
    refusalOf(() => applyJsonPatch({ a: { x: "y".repeat(1000) } }, doubling)),
    /^422 Unable to complete the copy, the accumulated size increase of copy is \d+, exceeding/,
  );
});

test("applyJsonPatch() cannot reach a prototype", () => {
  const patched = applyJsonPatch({}, [{ op: "add", path: "/__proto__", value: { polluted: 1 } }]);
  assert.deepEqual(Object.keys(patched ?? {}), ["__proto__"]);
  assert.equal(({} as Record<string, unknown>)["polluted"], undefined);
});

const mergePatches: [Json, Json, Json][] = [
  [{ a: "b" }, { a: "c" }, { a: "c" }],
  [{ a: "b" }, { b: "c" }, { a: "b", b: "c" }],
  [{ a: "b" }, { a: null }, {}],
  [{ a: "b", b: "c" }, { a: null }, { b: "c" }],
  [{ a: ["b"] }, { a: "c" }, { a: "c" }],
  [{ a: "c" }, { a: ["b"] }, { a: ["b"] }],
  [{ a: { b: "c" } }, { a: { b: "d", c: null } }, { a: { b: "d" } }],
  [{ a: [{ b: "c" }] }, { a: [1] }, { a: [1] }],
  [
    ["a", "b"],
    ["c", "d"],
    ["c", "d"],
  ],
  [{ a: "b" }, ["c"], ["c"]],
  [{ a: "foo" }, null, null],
  [{ a: "foo" }, "bar", "bar"],
  [{ e: null }, { a: 1 }, { e: null, a: 1 }],
  [[1, 2], { a: "b", c: null }, { a: "b" }],
  [{}, { a: { bb: { ccc: null } } }, { a: { bb: {} } }],
];

test("applyMergePatch() follows RFC 7386", () => {
  for (const [before, patch, after] of mergePatches) {
    assert.deepEqual(applyMergePatch(freeze(before), freeze(patch)), after);
  }
});

function randomJson(random: Random, depth: number): Json {
  const roll = random();
  if (depth > 0 && roll < 0.6) {
    const object: Record<string, Json> = {};
    for (const field of "abcd") if (random() < 0.6) object[field] = randomJson(random, depth - 1);
    return object;
  }
  if (depth > 0 && roll < 0.7) return [randomJson(random, 0), 1];
  return Math.floor(random() * 3);
}

test("createMergePatch() gives the patch that restores the other object", () => {
  const random = seededRandom(42);
  for (let round = 0; round < 2000; round++) {
    const before = { root: randomJson(random, 3) };
    const after = { root: randomJson(random, 3) };
    const patch = createMergePatch(freeze(before), freeze(after));
    assert.deepEqual(patch === undefined ? before : applyMergePatch(before, patch), after);
    assert.equal(createMergePatch(after, structuredClone(after)), undefined);
  }
});

const text: Schema = { type: "string" };
const env: Schema = {
  type: "array",
  patchStrategy: "merge",
  patchMergeKey: "name",
  items: { type: "object", properties: { name: text, value: text } },
};
const container: Schema = {
  type: "object",
  properties: { name: text, image: text, env, args: { type: "array", items: text } },
};
const schema: Schema = {
  type: "object",
  properties: {
    containers: { type: "array", items: container, patchStrategy: "merge", patchMergeKey: "name" },
    finalizers: { type: "array", items: text, patchStrategy: "merge" },
    replaced: { type: "object", patchStrategy: "replace", values: text },
    strategy: {
      type: "object",
      patchStrategy: "retainKeys",
      properties: { type: text, rollingUpdate: { type: "object", values: text } },
    },
    broken: { type: "array", patchStrategy: "merge", items: container },
    labels: { type: "object", values: text },
  },
};

const a = { name: "a", image: "1" };
const b = { name: "b", image: "1" };
const c = { name: "c", image: "1" };

const strategicPatches: [string, Json, Json, Json][] = [
  [
    "maps merge",
    { labels: { x: "1", y: "2" } },
    { labels: { x: null, z: "3" } },
    { labels: { y: "2", z: "3" } },
  ],
  [
    "lists merge by key",
    { containers: [a, b] },
    { containers: [{ name: "b", image: "2" }] },
    { containers: [a, { name: "b", image: "2" }] },
  ],
  ["new items come first", { containers: [a] }, { containers: [b] }, { containers: [b, a] }],
  [
    "items without a list",
    {},
    { containers: [b, { $patch: "delete", name: "q" }] },
    { containers: [b] },
  ],
  ["nulls in what is new vanish", {}, { labels: { a: "1", b: null } }, { labels: { a: "1" } }],
  [
    "$patch: delete of an item",
    { containers: [a, b] },
    { containers: [{ $patch: "delete", name: "a" }] },
    { containers: [b] },
  ],
  [
    "$patch: replace of a list",
    { containers: [a, b] },
    { containers: [{ $patch: "replace" }, c] },
    { containers: [c] },
  ],
  [
    "$patch: replace of an item",
    { containers: [{ ...a, env: [] }] },
    { containers: [{ name: "a", image: "2", $patch: "replace" }] },
    { containers: [] },
  ],
  [
    "$patch: replace of a map",
    { labels: { x: "1" } },
    { labels: { $patch: "replace", y: "1" } },
    { labels: { y: "1" } },
  ],
  [
    "$patch: delete of a map",
    { labels: { x: "1" } },
    { labels: { $patch: "delete" } },
    { labels: {} },
  ],
  [
    "nested lists",
    { containers: [{ ...a, env: [{ name: "X", value: "1" }] }] },
    { containers: [{ name: "a", env: [{ name: "Y", value: "2" }] }] },
    {
      containers: [
        {
          ...a,
          env: [
            { name: "Y", value: "2" },
            { name: "X", value: "1" },
          ],
        },
      ],
    },
  ],
  [
    "plain lists are replaced",
    { containers: [{ ...a, args: ["1", "2"] }] },
    { containers: [{ name: "a", args: ["3"] }] },
    { containers: [{ ...a, args: ["3"] }] },
  ],
  [
    "lists of scalars merge",
    { finalizers: ["a", "b"] },
    { finalizers: ["b", "c"] },
    { finalizers: ["a", "b", "c"] },
  ],
  [
    "$deleteFromPrimitiveList",
    { finalizers: ["a", "b"] },
    { "$deleteFromPrimitiveList/finalizers": ["a"] },
    { finalizers: ["b"] },
  ],
  [
    "$deleteFromPrimitiveList and add",
    { finalizers: ["a", "b"] },
    {
      "$deleteFromPrimitiveList/finalizers": ["a"],
      "$setElementOrder/finalizers": ["c", "b"],
      finalizers: ["c"],
    },
    { finalizers: ["c", "b"] },
  ],
  [
    "$setElementOrder",
    { containers: [a, b, c] },
    { "$setElementOrder/containers": [{ name: "c" }, { name: "a" }] },
    { containers: [b, c, a] },
  ],
  [
    "$setElementOrder and change",
    { containers: [a, b] },
    {
      "$setElementOrder/containers": [{ name: "b" }, { name: "c" }, { name: "a" }],
      containers: [c, { name: "a", image: "2" }],
    },
    { containers: [b, c, { name: "a", image: "2" }] },
  ],
  [
    "$setElementOrder and delete",
    { containers: [a, b] },
    {
      "$setElementOrder/containers": [{ name: "b" }],
      containers: [{ $patch: "delete", name: "a" }],
    },
    { containers: [b] },
  ],
  [
    "$retainKeys",
    { strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: "1" } } },
    { strategy: { $retainKeys: ["type"], type: "Recreate" } },
    { strategy: { type: "Recreate" } },
  ],
  [
    "strategy replace",
    { replaced: { x: "1" } },
    { replaced: { y: "1" } },
    { replaced: { y: "1" } },
  ],
  [
    "unknown fields merge plainly",
    { other: { x: 1, l: [1] } },
    { other: { y: 2, l: [2] } },
    { other: { x: 1, y: 2, l: [2] } },
  ],
  [
    "new values hold no directives",
    {},
    { labels: { $retainKeys: ["a"], a: "1", b: null } },
    { labels: { a: "1" } },
  ],
  ["an object with $patch is nothing new", {}, { labels: { $patch: "replace", a: "1" } }, {}],
  [
    "what is no list is not deleted from",
    { finalizers: ["a"] },
    { "$deleteFromPrimitiveList/finalizers": "a" },
    { finalizers: ["a"] },
  ],
  ["another type replaces", { labels: "x" }, { labels: { a: "1" } }, { labels: { a: "1" } }],
];

test("applyStrategicMergePatch() follows the schema and the directives", () => {
  for (const [name, before, patch, after] of strategicPatches) {
    assert.deepEqual(applyStrategicMergePatch(freeze(before), freeze(patch), schema), after, name);
  }
});

const strategicRefusals: [Json, Json, string][] = [
  [{}, [], "400 invalid JSON document"],
  [
    { containers: [a] },
    { containers: [{ image: "x" }] },
    "400 map: map[image:x] does not contain declared merge key: name",
  ],
  [
    { labels: {} },
    { labels: { $patch: "merge" } },
    "400 unknown patch type: merge in map: map[$patch:merge]",
  ],
  [
    { containers: [a] },
    { containers: [{ name: "a", $patch: "merge" }] },
    "400 merging lists cannot yet be specified in the patch",
  ],
  [
    { strategy: {} },
    { strategy: { $retainKeys: ["type"], other: 1 } },
    "400 invalid patch format of retainKeys",
  ],
  [
    { finalizers: ["a"] },
    { $deleteFromPrimitiveList: ["a"] },
    "400 invalid patch format of primitive list",
  ],
  [{}, { $setElementOrder: [] }, "400 invalid patch format of setElementOrder list"],
  [{ broken: [a] }, { broken: [b] }, "400 cannot merge lists without merge key for type struct"],
  [{ finalizers: ["a"] }, { finalizers: [["b"]] }, "422 lists of lists are not supported"],
  [
    { containers: [a, b] },
    { "$setElementOrder/containers": [{ name: "a" }, { name: "b" }], containers: [b, a] },
    "400 The order in patch list:\n[map[image:1 name:b] map[image:1 name:a]]\n doesn't match $setElementOrder list:\n[map[name:a] map[name:b]]\n",
  ],
];

test("applyStrategicMergePatch() refuses with upstream's texts", () => {
  assert.deepEqual(
    strategicRefusals.map(([document, patch]) => [
      document,
      patch,
      refusalOf(() => applyStrategicMergePatch(document, patch, schema)),
    ]),
    strategicRefusals,
  );
});

test("applyStrategicMergePatch() knows the lists of the built-in kinds", () => {
  const deployment = schemaOf("io.k8s.api.apps.v1.Deployment");
  const before = freeze<Json>({
    metadata: { name: "web", finalizers: ["a"], ownerReferences: [{ uid: "1", name: "x" }] },
    spec: {
      strategy: { type: "RollingUpdate", rollingUpdate: { maxSurge: 1 } },
      template: {
        spec: {
          containers: [
            {
              name: "web",
              image: "nginx:1",
              ports: [{ containerPort: 80, protocol: "TCP" }],
              env: [{ name: "A", value: "1" }],
              command: ["x"],
            },
            { name: "log", image: "log:1" },
          ],
          tolerations: [{ key: "a" }],
          volumes: [{ name: "v", emptyDir: {} }],
        },
      },
    },
  });
  const patch = {
    metadata: { finalizers: ["b"], ownerReferences: [{ $patch: "delete", uid: "1" }] },
    spec: {
      strategy: { $retainKeys: ["type"], type: "Recreate" },
      template: {
        spec: {
          "$setElementOrder/containers": [{ name: "log" }, { name: "web" }],
          containers: [
            {
              name: "web",
              image: "nginx:2",
              ports: [{ containerPort: 80, hostPort: 8080 }],
              env: [{ name: "A", value: null, valueFrom: { fieldRef: { fieldPath: "x" } } }],
              command: ["y"],
            },
          ],
          tolerations: [{ key: "b" }],
          volumes: [{ $retainKeys: ["name", "hostPath"], name: "v", hostPath: { path: "/" } }],
        },
      },
    },
  };
  assert.deepEqual(applyStrategicMergePatch(before, freeze(patch), deployment), {
    metadata: { name: "web", finalizers: ["b", "a"], ownerReferences: [] },
    spec: {
      strategy: { type: "Recreate" },
      template: {
        spec: {
          containers: [
            { name: "log", image: "log:1" },
            {
              name: "web",
              image: "nginx:2",
              ports: [{ containerPort: 80, protocol: "TCP", hostPort: 8080 }],
              env: [{ name: "A", valueFrom: { fieldRef: { fieldPath: "x" } } }],
              command: ["y"],
            },
          ],
          tolerations: [{ key: "b" }],
          volumes: [{ name: "v", hostPath: { path: "/" } }],
        },
      },
    },
  });
});
