import type { Json } from "#api/meta.ts";
import type { Column, JsonObject, Kind } from "#api/kind.ts";

/** What a row of a table carries besides its cells. */
export type IncludeObject = "None" | "Metadata" | "Object";

export interface TableRequest {
  readonly kind: Pick<Kind, "columns">;
  readonly objects: readonly JsonObject[];
  readonly nowMs: number;
  readonly includeObject: IncludeObject;
  /** `resourceVersion`, `continue` and `remainingItemCount` of the list or of the object. */
  readonly listMeta: JsonObject;
  /** Leaves out the column definitions: every event of a watch but the first. */
  readonly noHeaders?: boolean;
}

/** A `meta.k8s.io/v1 Table` of the objects, all columns included: the client hides those of low priority. */
export function tableOf(request: TableRequest): JsonObject {
  const { columns } = request.kind;
  return {
    kind: "Table",
    apiVersion: "meta.k8s.io/v1",
    metadata: request.listMeta,
    columnDefinitions: request.noHeaders ? null : columns.map(definitionOf),
    rows: request.objects.map((object) => rowOf(object, columns, request)),
  };
}

/** An object as `meta.k8s.io/v1 PartialObjectMetadata`: its metadata alone. */
export function partialMetadata(object: JsonObject): JsonObject {
  return {
    kind: "PartialObjectMetadata",
    apiVersion: "meta.k8s.io/v1",
    metadata: object["metadata"] ?? {},
  };
}

export function partialMetadataList(
  objects: readonly JsonObject[],
  listMeta: JsonObject,
): JsonObject {
  return {
    kind: "PartialObjectMetadataList",
    apiVersion: "meta.k8s.io/v1",
    metadata: listMeta,
    items: objects.map(partialMetadata),
  };
}

function definitionOf(column: Column): JsonObject {
  return {
    name: column.name,
    type: column.type,
    format: column.format ?? "",
    description: column.description,
    priority: column.priority,
  };
}

function rowOf(
  object: JsonObject,
  columns: readonly Column[],
  { nowMs, includeObject }: TableRequest,
): JsonObject {
  const cells = columns.map((column): Json => column.cell(object, nowMs));
  switch (includeObject) {
    case "None":
      return { cells, object: null };
    case "Object":
      return { cells, object };
    case "Metadata":
      return { cells, object: partialMetadata(object) };
  }
}
