import type { CustomResourceDefinitionVersion } from "#api/generated/types.ts";
import type { Column, JsonObject } from "#api/kind.ts";
import { age, name, since } from "#api/kinds/columns/cells.ts";
import type { Json } from "#api/meta.ts";
import { parseJsonPath, type JsonPath } from "#api/custom/json-path.ts";

/** The columns of `kubectl get` that a version's definition asks for; name and age where it asks for none. */
export function printerColumnsOf(version: CustomResourceDefinitionVersion): readonly Column[] {
  const columns = version.additionalPrinterColumns ?? [];
  if (columns.length === 0) return [name, { ...age, type: "date" }];
  return [
    name,
    ...columns.map((column): Column => {
      const path = parseJsonPath(column.jsonPath);
      return {
        name: column.name,
        type: typeOf(column.type),
        ...(column.format && { format: column.format }),
        description:
          column.description ||
          `Custom resource definition column (in JSONPath format): ${column.jsonPath}`,
        priority: column.priority ?? 0,
        cell: (object, nowMs) => cellOf({ path, type: column.type, object, nowMs }),
      };
    }),
  ];
}

const types = ["string", "integer", "number", "boolean", "date"] as const;

function typeOf(type: string): Column["type"] {
  return types.find((known) => known === type) ?? "string";
}

interface Cell {
  readonly path: JsonPath;
  readonly type: string;
  readonly object: JsonObject;
  readonly nowMs: number;
}

function cellOf({ path, type, object, nowMs }: Cell): Json {
  const found = path(object);
  const [first] = found;
  if (first === undefined) return null;
  switch (type) {
    case "string":
      return found.map(textOf).join(" ");
    case "integer":
      return typeof first === "number" ? Math.trunc(first) : null;
    case "number":
      return typeof first === "number" ? first : null;
    case "boolean":
      return typeof first === "boolean" ? first : null;
    case "date":
      return dateOf(first, nowMs);
    default:
      return null;
  }
}

function dateOf(value: Json, nowMs: number): Json {
  if (typeof value !== "string") return null;
  return Number.isNaN(Date.parse(value)) ? "<invalid>" : since(value, nowMs);
}

function textOf(value: Json): string {
  return typeof value === "string" ? value : JSON.stringify(value);
}
