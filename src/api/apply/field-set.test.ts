import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom, type Random } from "#base/random.ts";
import type { JsonObject } from "#api/patch/json-object.ts";
import type { Schema } from "#api/schema.ts";
import { schemaOf } from "#api/schemas/builtin-schemas.ts";
import { compareObjects } from "#api/apply/compare.ts";
import {
  differenceOf,
  forEachPath,
  insertPath,
  intersectionOf,
  sortedSet,
  unionOf,
  withoutSubtrees,
  type FieldSet,
  type MutableFieldSet,
} from "#api/apply/field-set.ts";
import { printPath } from "#api/apply/paths.ts";

function pathsOf(set: FieldSet): string[] {
  const paths: string[] = [];
  forEachPath(set, (path) => paths.push(path.join("/")));
  return paths.toSorted();
}

function freeze(set: FieldSet): FieldSet {
  Object.values(set).forEach(freeze);
  return Object.freeze(set);
}

function randomSet(random: Random): FieldSet {
  const set: MutableFieldSet = {};
  const elements = ["f:a", "f:b", 'k:{"n":1}', 'v:"x"'];
  const count = Math.floor(random() * 8);
  for (let i = 0; i < count; i++) {
    const depth = 1 + Math.floor(random() * 3);
    const step = (): string => elements[Math.floor(random() * elements.length)] ?? "f:a";
    insertPath(set, Array.from({ length: depth }, step));
  }
  return freeze(set);
}

test("sets behave as sets of paths", () => {
  const random = seededRandom(3);
  for (let round = 0; round < 3000; round++) {
    const [left, right] = [randomSet(random), randomSet(random)];
    const [a, b] = [new Set(pathsOf(left)), new Set(pathsOf(right))];
    const shown = JSON.stringify([left, right]);
    assert.deepEqual(pathsOf(unionOf(left, right)), [...a.union(b)].toSorted(), shown);
    assert.deepEqual(pathsOf(differenceOf(left, right)), [...a.difference(b)].toSorted(), shown);
    assert.deepEqual(
      pathsOf(intersectionOf(left, right)),
      [...a.intersection(b)].toSorted(),
      shown,
    );
    const outside = [...a].filter(
      (path) => ![...b].some((cut) => `${path}/`.startsWith(`${cut}/`)),
    );
    assert.deepEqual(pathsOf(withoutSubtrees(left, right)), outside.toSorted(), shown);
    assert.equal(
      JSON.stringify(sortedSet(unionOf(left, right))),
      JSON.stringify(sortedSet(unionOf(right, left))),
    );
    assert.equal(unionOf(left, left), left);
    const sorted = sortedSet(left);
    assert.equal(sortedSet(sorted), sorted);
  }
});

test("operations that change nothing give the very same set", () => {
  const set = freeze({ "f:a": { ".": {}, "f:b": {} }, "f:c": {} });
  assert.equal(differenceOf(set, { "f:x": {} }), set);
  assert.equal(unionOf(set, { "f:a": { "f:b": {} } }), set);
  assert.equal(withoutSubtrees(set, { "f:d": {} }), set);
  assert.equal(sortedSet(set), set);
});

test("printPath() shows keys, values and fields as upstream does", () => {
  const path = ["f:spec", 'k:{"port":80,"protocol":"TCP"}', "f:x", 'v:"y"', "i:3"];
  assert.equal(printPath(path), '.spec[port=80,protocol="TCP"].x[="y"][3]');
});

test("compareObjects() tells added, modified and removed fields along the schema", () => {
  const schema = schemaOf("io.k8s.api.core.v1.Pod");
  const old: JsonObject = {
    metadata: { labels: { a: "1", b: "1" }, finalizers: ["x", "y"] },
    spec: {
      nodeSelector: { a: "1" },
      containers: [
        { name: "a", image: "1", command: ["x"] },
        { name: "b", ports: [{ containerPort: 1 }, { containerPort: 1 }] },
      ],
    },
  };
  const changed: JsonObject = {
    metadata: { labels: { b: "2", c: "1" }, finalizers: ["y", "z"] },
    spec: {
      nodeSelector: { a: "1", b: "1" },
      containers: [
        { name: "b", ports: [{ containerPort: 1 }] },
        { name: "a", image: "1", command: ["y"], env: [{ name: "E" }] },
      ],
    },
    status: { phase: "Running" },
  };
  const { added, modified, removed } = compareObjects(old, changed, schema);
  const containers = 'f:spec/f:containers/k:{"name":"a"}';
  const repeated =
    'f:spec/f:containers/k:{"name":"b"}/f:ports/k:{"containerPort":1,"protocol":"TCP"}';
  assert.deepEqual(
    { added: pathsOf(added), modified: pathsOf(modified), removed: pathsOf(removed) },
    {
      added: [
        'f:metadata/f:finalizers/v:"z"',
        "f:metadata/f:labels/f:c",
        `${containers}/f:env`,
        `${containers}/f:env/k:{"name":"E"}`,
        `${containers}/f:env/k:{"name":"E"}/f:name`,
        repeated,
        `${repeated}/f:containerPort`,
        "f:status/f:phase",
      ],
      modified: ["f:metadata/f:labels/f:b", `${containers}/f:command`, "f:spec/f:nodeSelector"],
      removed: ['f:metadata/f:finalizers/v:"x"', "f:metadata/f:labels/f:a", repeated],
    },
  );
});

test("compareObjects() counts a custom resource's new spec itself: no Go struct makes it exist before", () => {
  const properties = {
    metadata: schemaOf("io.k8s.apimachinery.pkg.apis.meta.v1.ObjectMeta"),
    spec: { type: "object", properties: { size: { type: "integer" } } },
  } satisfies Record<string, Schema>;
  const object = { metadata: { labels: { a: "1" } }, spec: { size: 1 } };
  const { added } = compareObjects({}, object, { type: "object", properties });
  assert.deepEqual(pathsOf(added), [
    "f:metadata/f:labels",
    "f:metadata/f:labels/f:a",
    "f:spec",
    "f:spec/f:size",
  ]);
});
