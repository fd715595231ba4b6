import type { Column, JsonObject } from "#api/kind.ts";
import type { Json } from "#api/meta.ts";
import { humanDuration } from "#api/kinds/columns/human-duration.ts";

/** The columns nearly every kind has. */
export const name: Column = {
  name: "Name",
  type: "string",
  format: "name",
  description: "Name of the object, unique within its namespace and kind",
  priority: 0,
  cell: (object) => text(object, "metadata", "name"),
};

export const age: Column = {
  name: "Age",
  type: "string",
  description: "Time since the object was created",
  priority: 0,
  cell: (object, nowMs) => since(at(object, "metadata", "creationTimestamp"), nowMs),
};

export const createdAt: Column = {
  name: "Created At",
  type: "date",
  description: "When the object was created",
  priority: 0,
  cell: (object) => at(object, "metadata", "creationTimestamp") ?? null,
};

type Cell = Column["cell"];

export function column(
  heading: string,
  description: string,
  cell: Cell,
  options: { readonly type?: Column["type"]; readonly wide?: boolean } = {},
): Column {
  return {
    name: heading,
    type: options.type ?? "string",
    description,
    priority: options.wide ? 1 : 0,
    cell,
  };
}

/** A column shown with `-o wide` only. */
export function wide(heading: string, description: string, cell: Cell): Column {
  return column(heading, description, cell, { wide: true });
}

/** A column of whole numbers. */
export function count(heading: string, description: string, cell: Cell): Column {
  return column(heading, description, cell, { type: "integer" });
}

/** The value at a path of fields and list positions, undefined where any is missing. */
export function at(
  value: Json | undefined,
  ...path: readonly (string | number)[]
): Json | undefined {
  let current = value;
  for (const step of path) {
    if (typeof current !== "object" || current === null) return undefined;
    current = (current as Record<string | number, Json>)[step];
  }
  return current ?? undefined;
}

export function text(value: Json | undefined, ...path: readonly (string | number)[]): string {
  const found = at(value, ...path);
  return found === undefined || typeof found === "object" ? "" : String(found);
}

export function number(value: Json | undefined, ...path: readonly (string | number)[]): number {
  const found = at(value, ...path);
  return typeof found === "number" ? found : 0;
}

/** The objects of a list; nothing where there is no list. */
export function objects(
  value: Json | undefined,
  ...path: readonly (string | number)[]
): JsonObject[] {
  const found = at(value, ...path);
  if (!Array.isArray(found)) return [];
  return found.filter(
    (item): item is JsonObject => typeof item === "object" && item !== null && !Array.isArray(item),
  );
}

export function strings(value: Json | undefined, ...path: readonly (string | number)[]): string[] {
  const found = at(value, ...path);
  return Array.isArray(found) ? found.filter((item) => typeof item === "string") : [];
}

export function size(value: Json | undefined, ...path: readonly (string | number)[]): number {
  const found = at(value, ...path);
  return typeof found === "object" && found !== null ? Object.keys(found).length : 0;
}

export const none = "<none>";
export const unset = "<unset>";
export const unknown = "<unknown>";

export function orNone(value: string): string {
  return value === "" ? none : value;
}

/** How long ago an RFC 3339 time was; a time to come counts as now. */
export function since(time: Json | undefined, nowMs: number): string {
  const timeMs = typeof time === "string" ? Date.parse(time) : Number.NaN;
  return Number.isNaN(timeMs) ? unknown : humanDuration(nowMs - timeMs);
}

/** `a=1,b=2`, sorted by key. */
export function formatLabels(value: Json | undefined): string {
  if (typeof value !== "object" || value === null || Array.isArray(value)) return none;
  const pairs = Object.keys(value)
    .toSorted()
    .map((key) => `${key}=${text(value, key)}`);
  return orNone(pairs.join(","));
}

/** A label selector as `kubectl` writes it: `app=web,tier in (a,b),!old`. */
export function formatSelector(selector: Json | undefined): string {
  if (selector === undefined || selector === null) return none;
  const equal = Object.entries((at(selector, "matchLabels") ?? {}) as JsonObject).map(
    ([key, value]) => ({ key, text: `${key}=${String(value as string)}` }),
  );
  const further = objects(selector, "matchExpressions").map((expression) => ({
    key: text(expression, "key"),
    text: requirement(expression),
  }));
  const parts = [...equal, ...further].toSorted((a, b) => compare(a.key, b.key));
  return orNone(parts.map((part) => part.text).join(","));
}

export function containerNames(podSpec: Json | undefined): string {
  return objects(podSpec, "containers")
    .map((container) => text(container, "name"))
    .join(",");
}

export function containerImages(podSpec: Json | undefined): string {
  return objects(podSpec, "containers")
    .map((container) => text(container, "image"))
    .join(",");
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function requirement(expression: JsonObject): string {
  const key = text(expression, "key");
  const values = strings(expression, "values").toSorted().join(",");
  switch (text(expression, "operator")) {
    case "In":
      return `${key} in (${values})`;
    case "NotIn":
      return `${key} notin (${values})`;
    case "Exists":
      return key;
    default:
      return `!${key}`;
  }
}
