import { readQuantity } from "#api/quantity.ts";

/** What a file has where fields are expected. The functions here throw with the path of what is wrong. */
export type Fields = Readonly<Record<string, unknown>>;

export function amountOf(value: unknown, path: string): number {
  const isScalar = typeof value === "string" || typeof value === "number";
  const quantity = isScalar ? readQuantity(String(value)) : "";
  if (typeof quantity === "string" || quantity.nano < 0n) {
    throw new Error(`${path}: must be an amount such as 8 or 32Gi`);
  }
  return Number(quantity.nano) / 1e9;
}

export function textsAt(
  fields: Fields,
  name: string,
  path: string,
): Readonly<Record<string, string>> {
  const texts = fieldsOf(fields[name] ?? {}, `${path}.${name}`);
  for (const [key, text] of Object.entries(texts)) {
    expect(typeof text === "string", `${path}.${name}.${key}`, "must be text (in quotes)");
  }
  return texts as Readonly<Record<string, string>>;
}

export function isWhole(value: unknown): value is number {
  return Number.isInteger(value);
}

export function fieldsOf(value: unknown, path: string): Fields {
  const isObject = typeof value === "object" && value !== null && !Array.isArray(value);
  expect(isObject, path, "must be an object");
  return value as Fields;
}

export function listAt(fields: Fields, name: string, path: string): readonly unknown[] {
  const value = fields[name] ?? [];
  expect(Array.isArray(value), path, "must be a list");
  return value as readonly unknown[];
}

export function onlyFields(fields: Fields, known: readonly string[], path: string): void {
  for (const name of Object.keys(fields)) {
    const at = path === "" ? name : `${path}.${name}`;
    expect(known.includes(name), at, `is no field; there are ${known.join(", ")}`);
  }
}

export function expect(holds: boolean, path: string, problem: string): void {
  if (!holds) throw new Error(`${path}: ${problem}`);
}
