import type { Field } from "#api/validation/field.ts";

/** An object of a configuration file whose fields have not been looked at yet. */
export type Fields = Readonly<Record<string, unknown>>;

/** The fields of an object; of anything else, which is noted, there are none. */
export function fieldsOf(value: unknown, field: Field, known: readonly string[]): Fields {
  if (value === undefined || value === null) return {};
  if (typeof value !== "object" || Array.isArray(value)) {
    field.invalid(value, "must be an object");
    return {};
  }
  for (const name of Object.keys(value)) {
    if (!known.includes(name)) field.child(name).forbidden("unknown field");
  }
  return value as Fields;
}

export function listAt(fields: Fields, name: string, field: Field): readonly unknown[] {
  const value = fields[name];
  if (value === undefined || value === null) return [];
  if (Array.isArray(value)) return value as readonly unknown[];
  field.child(name).invalid(value, "must be a list");
  return [];
}

/** Undefined where there is none, or one that is no text. */
export function textAt(fields: Fields, name: string, field: Field): string | undefined {
  const value = fields[name];
  if (value === undefined || value === null || typeof value === "string") return value ?? undefined;
  field.child(name).invalid(value, "must be a string");
  return undefined;
}

export interface ExpectedKind {
  readonly versions: readonly string[];
  readonly kind: string;
}

export function checkKind(fields: Fields, expected: ExpectedKind, field: Field): void {
  const version = textAt(fields, "apiVersion", field) ?? "";
  const kind = textAt(fields, "kind", field) ?? "";
  if (!expected.versions.includes(version))
    field.child("apiVersion").notSupported(version, expected.versions);
  if (kind !== expected.kind) field.child("kind").notSupported(kind, [expected.kind]);
}
