import type { Json } from "#api/meta.ts";
import type { Column, JsonObject, Kind } from "#api/kind.ts";

/** The versions of `meta.k8s.io` that tables and metadata alone are asked in: one shape, two names. */
export type MetaVersion = "v1" | "v1beta1";

/** What a row of a table carries besides its cells. */
export type IncludeObject = "None" | "Metadata" | "Object";

export interface TableRequest {
  readonly kind: Pick<Kind, "columns" | "rowConditions">;
  readonly objects: readonly JsonObject[];
  readonly nowMs: number;
  readonly includeObject: IncludeObject;
  /** Of the table and of the metadata in its rows; default `v1`. */
  readonly version?: MetaVersion;
  /** `resourceVersion`, `continue` and `remainingItemCount` of the list or of the object. */
  readonly listMeta: JsonObject;
  /** Leaves out the column definitions: every event of a watch but the first. */
  readonly noHeaders?: boolean;
}

/** A `meta.k8s.io/v1 Table` of the objects, all columns included: the client hides those of low priority. */
export function tableOf(request: TableRequest): JsonObject {
  const rows = request.objects.map((object) => tableRowOf(object, request));
  return tableOfRows({ ...request, rows });
}

/** The same of rows that are made already. */
export function tableOfRows(
  request: Pick<TableRequest, "kind" | "listMeta" | "noHeaders" | "version"> & {
    readonly rows: JsonObject[];
  },
): JsonObject {
  return {
    kind: "Table",
    apiVersion: `meta.k8s.io/${request.version ?? "v1"}`,
    metadata: request.listMeta,
    columnDefinitions: request.noHeaders ? null : request.kind.columns.map(definitionOf),
    rows: request.rows,
  };
}

/** An object as `meta.k8s.io/v1 PartialObjectMetadata`: its metadata alone. */
export function partialMetadata(object: JsonObject, version: MetaVersion = "v1"): JsonObject {
  return {
    kind: "PartialObjectMetadata",
    apiVersion: `meta.k8s.io/${version}`,
    metadata: object["metadata"] ?? {},
  };
}

/** `items` as `partialMetadata` makes them. */
export function partialMetadataList(
  items: JsonObject[],
  listMeta: JsonObject,
  version: MetaVersion = "v1",
): JsonObject {
  return {
    kind: "PartialObjectMetadataList",
    apiVersion: `meta.k8s.io/${version}`,
    metadata: listMeta,
    items,
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

type RowRequest = Pick<TableRequest, "kind" | "nowMs" | "includeObject" | "version">;

export function tableRowOf(
  object: JsonObject,
  { kind, nowMs, includeObject, version }: RowRequest,
): JsonObject {
  const cells = kind.columns.map((column): Json => column.cell(object, nowMs));
  const conditions = kind.rowConditions?.(object) ?? [];
  return {
    cells,
    ...(conditions.length > 0 && { conditions: [...conditions] }),
    object: shownObject(object, includeObject, version),
  };
}

function shownObject(
  object: JsonObject,
  includeObject: IncludeObject,
  version: MetaVersion | undefined,
): JsonObject | null {
  switch (includeObject) {
    case "None":
      return null;
    case "Object":
      return object;
    case "Metadata":
      return partialMetadata(object, version);
  }
}
