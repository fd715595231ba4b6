import type { Json } from "#api/meta.ts";

/** A value as upstream's messages show it (`map[image:nginx name:web]`), cut off where it gets long. */
export function goFormat(value: Json): string {
  const text = format(value);
  return text.length > lengthMax ? `${text.slice(0, lengthMax)}…` : text;
}

const lengthMax = 1000;

function format(value: Json): string {
  if (value === null) return "<nil>";
  if (Array.isArray(value)) return `[${value.map(format).join(" ")}]`;
  if (typeof value !== "object") return String(value);
  const fields = Object.keys(value).toSorted();
  return `map[${fields.map((field) => `${field}:${format(value[field] ?? null)}`).join(" ")}]`;
}
