import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { defaultColumns } from "#api/kinds/columns/columns.ts";
import { partialMetadata, partialMetadataList, tableOf } from "#api/table/table.ts";

const metadata = { name: "a", creationTimestamp: "2026-11-22T10:00:00Z" };
const object: JsonObject = { apiVersion: "x/v1", kind: "Thing", metadata, spec: { size: 1 } };
const request = {
  kind: { columns: defaultColumns },
  objects: [object],
  nowMs: 0,
  listMeta: { resourceVersion: "7" },
};
const partial = { kind: "PartialObjectMetadata", apiVersion: "meta.k8s.io/v1", metadata };

test("tableOf() gives definitions, cells and as much of the objects as asked for", () => {
  const table = tableOf({ ...request, includeObject: "Metadata" });
  deepEqual(table, {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: { resourceVersion: "7" },
    columnDefinitions: [
      {
        name: "Name",
        type: "string",
        format: "name",
        description: defaultColumns[0]?.description,
        priority: 0,
      },
      {
        name: "Created At",
        type: "date",
        format: "",
        description: defaultColumns[1]?.description,
        priority: 0,
      },
    ],
    rows: [{ cells: ["a", "2026-11-22T10:00:00Z"], object: partial }],
  });
  const rows = (includeObject: "None" | "Object") => tableOf({ ...request, includeObject })["rows"];
  deepEqual(rows("None"), [{ cells: ["a", "2026-11-22T10:00:00Z"], object: null }]);
  deepEqual(rows("Object"), [{ cells: ["a", "2026-11-22T10:00:00Z"], object }]);
});

test("tableOf() leaves headers out of later watch events", () => {
  const table = tableOf({ ...request, includeObject: "None", noHeaders: true });
  deepEqual(table["columnDefinitions"], null);
});

test("partialMetadataList() keeps the metadata alone", () => {
  deepEqual(partialMetadataList([partialMetadata(object)], { continue: "x" }), {
    kind: "PartialObjectMetadataList",
    apiVersion: "meta.k8s.io/v1",
    metadata: { continue: "x" },
    items: [partial],
  });
});
