/**
 * An object as a client gave it: the types are those of the schema, but any field may be absent or null,
 * required ones too.
 */
export type Given<T> = T extends readonly (infer Item)[]
  ? readonly Given<Item>[]
  : T extends object
    ? string extends keyof T
      ? { readonly [key: string]: Given<T[keyof T]> }
      : { readonly [Name in keyof T]?: Given<T[Name]> | null }
    : T;

/** The same while it is filled in: fields may be set. */
export type Filling<T> = T extends readonly (infer Item)[]
  ? Filling<Item>[]
  : T extends object
    ? string extends keyof T
      ? { [key: string]: Filling<T[keyof T]> }
      : { -readonly [Name in keyof T]?: Filling<T[Name]> | null }
    : T;

/**
 * The items of a list that may be absent. An item that is null counts as the zero value of its siblings' type, as it
 * does upstream; a list of nothing else counts as empty.
 */
export function itemsOf<Item>(
  list: readonly Item[] | null | undefined,
): readonly NonNullable<Item>[] {
  if (!list) return [];
  const sibling: unknown = list.find((item) => item !== null && item !== undefined);
  if (sibling === undefined) return [];
  return list.map((item) => item ?? (zeroLike(sibling) as NonNullable<Item>));
}

function zeroLike(value: unknown): unknown {
  if (typeof value === "string") return "";
  return typeof value === "number" ? 0 : {};
}

/** The entries of a map that may be absent. */
export function entriesOf<Value>(
  map: { readonly [key: string]: Value } | null | undefined,
): readonly (readonly [string, Value])[] {
  return map ? Object.entries(map) : [];
}

export function isEmpty(value: object | null | undefined): boolean {
  return !value || Object.keys(value).length === 0;
}

/** Sets fields that are absent, null or "" (which Go clients cannot tell from absent). */
export function setWhereUnset<T extends object>(target: T, values: Partial<T>): void {
  for (const name of Object.keys(values) as (keyof T)[]) {
    const current: unknown = target[name];
    const value = values[name];
    if ((current === undefined || current === null || current === "") && value !== undefined) {
      target[name] = value as T[keyof T];
    }
  }
}

/** Sets numbers that are absent, null or 0, for fields where upstream cannot tell these apart. */
export function setWhereZero<T extends object>(target: T, values: Partial<T>): void {
  for (const name of Object.keys(values) as (keyof T)[]) {
    const value = values[name];
    if (!target[name] && value !== undefined) target[name] = value as T[keyof T];
  }
}

/** The object in a field, which is made where it is absent. */
export function objectIn<T extends object, Name extends keyof T>(
  target: T,
  name: Name,
): NonNullable<T[Name]> {
  target[name] ??= {} as NonNullable<T[Name]>;
  return target[name] as NonNullable<T[Name]>;
}
