import assert from "node:assert/strict";
import { test } from "node:test";
import type { FieldSet } from "#api/apply/field-set.ts";
import type { Manager } from "#api/apply/managers.ts";
import { reconcileManagers } from "#api/apply/reconcile-topology.ts";
import { applyServerSide } from "#api/apply/server-side-apply.ts";
import { updateManagedFields } from "#api/apply/update-managed-fields.ts";
import type { JsonObject } from "#api/patch/json-object.ts";
import type { Schema } from "#api/schema.ts";
import { StatusError } from "#api/status.ts";

const text: Schema = { type: "string" };
const item: Schema = { type: "object", properties: { name: text, value: text } };
const keyed: Schema = { type: "array", listType: "map", listMapKeys: ["name"], items: item };
const ownsItem: FieldSet = { 'k:{"name":"x"}': { ".": {}, "f:name": {}, "f:value": {} } };

const cases: readonly [what: string, field: Schema, before: FieldSet, after: FieldSet][] = [
  ["a keyed list that became atomic", { ...keyed, listType: "atomic" }, ownsItem, {}],
  ["a list without a type is atomic", { type: "array", items: item }, ownsItem, {}],
  ["a set that became atomic", { type: "array", items: text }, { 'v:"a"': {}, 'v:"b"': {} }, {}],
  ["a map", { type: "object", mapType: "atomic", values: text }, { ".": {}, "f:a": {} }, {}],
  ["a struct", { ...item, mapType: "atomic" }, { "f:value": {} }, {}],
  [
    "a struct in a keyed list",
    {
      ...keyed,
      items: { ...item, properties: { name: text, in: { ...item, mapType: "atomic" } } },
    },
    { 'k:{"name":"x"}': { ".": {}, "f:name": {}, "f:in": { "f:value": {} } } },
    { 'k:{"name":"x"}': { ".": {}, "f:name": {}, "f:in": {} } },
  ],
  ["what is granular stays", keyed, ownsItem, ownsItem],
  ["what was atomic stays the field itself", keyed, {}, {}],
  ["what the schema does not know stays", text, { "f:a": {} }, { "f:a": {} }],
  [
    "untyped objects stay",
    { type: "object", mapType: "atomic", preserveUnknownFields: true },
    { "f:a": {} },
    { "f:a": {} },
  ],
];

test("reconcileManagers() gives who owned a part of what is atomic now all of it", () => {
  for (const [what, field, before, after] of cases) {
    const schema: Schema = { type: "object", properties: { field } };
    const manager = managerOf("v1", { "f:field": before });
    const [found] = reconcileManagers([manager], { schema, apiVersion: "v1" });
    assert.deepEqual(found?.fields, { "f:field": after }, what);
  }
});

test("reconcileManagers() leaves the sets of other versions, whose schema this is not", () => {
  const schema: Schema = { type: "object", properties: { field: { type: "array", items: text } } };
  const manager = managerOf("v2", { "f:field": { 'v:"a"': {} } });
  assert.deepEqual(reconcileManagers([manager], { schema, apiVersion: "v1" }), [manager]);
});

test("when a keyed list becomes atomic, each of its owners owns it whole", () => {
  const granular = kindWith(keyed);
  const atomic = kindWith({ ...keyed, listType: "atomic" });
  const first = apply("a", [{ name: "x", value: "1" }], { schema: granular });
  const both = apply("b", [{ name: "y", value: "2" }], { schema: granular, live: first });
  assert.deepEqual(both["list"], [
    { name: "x", value: "1" },
    { name: "y", value: "2" },
  ]);
  assert.throws(
    () => apply("a", [{ name: "x", value: "3" }], { schema: atomic, live: both }),
    (error) => error instanceof StatusError && /conflict with "b".*\.list$/.test(error.message),
  );
  const untouched = updateManagedFields({ ...write("c", atomic), old: both, new: both });
  assert.deepEqual(
    untouched.map(({ manager, fieldsV1 }) => [manager, fieldsV1]),
    [
      ["a", { "f:list": {} }],
      ["b", { "f:list": {} }],
    ],
  );
});

function managerOf(apiVersion: string, fields: FieldSet): Manager {
  const writer = { manager: "a", operation: "Apply", subresource: "", time: undefined } as const;
  return { ...writer, apiVersion, fields };
}

function kindWith(list: Schema): Schema {
  return { type: "object", properties: { apiVersion: text, kind: text, list } };
}

function write(manager: string, schema: Schema) {
  return { manager, schema, apiVersion: "v1", nowMs: 0 };
}

function apply(
  manager: string,
  list: JsonObject[],
  { schema, live }: { readonly schema: Schema; readonly live?: JsonObject },
): JsonObject {
  const applied = { apiVersion: "v1", kind: "Thing", list };
  return applyServerSide({ ...write(manager, schema), applied, live, force: false }).object;
}
