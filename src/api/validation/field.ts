import type { StatusCause } from "#api/generated/types.ts";

/**
 * A field of an object under validation: its path, and where what is wrong with it is noted. The messages have
 * upstream's forms (`k8s.io/apimachinery/pkg/util/validation/field`), because clients and users search for them.
 */
export class Field {
  readonly path: string;
  readonly #causes: StatusCause[];

  constructor(path: string, causes: StatusCause[]) {
    this.path = path;
    this.#causes = causes;
  }

  /** How many causes were noted so far, here and elsewhere in the object. */
  get noted(): number {
    return this.#causes.length;
  }

  child(...names: readonly string[]): Field {
    const joined = names.join(".");
    return new Field(this.path === "" ? joined : `${this.path}.${joined}`, this.#causes);
  }

  index(index: number | ""): Field {
    return new Field(`${this.path}[${index}]`, this.#causes);
  }

  key(key: string): Field {
    return new Field(`${this.path}[${key}]`, this.#causes);
  }

  required(detail = ""): void {
    this.#note("FieldValueRequired", "Required value", detail);
  }

  invalid(value: unknown, detail: string): void {
    this.#note("FieldValueInvalid", `Invalid value: ${printed(value)}`, detail);
  }

  /** Where the value is too large to be shown: an object or a list. */
  invalidWithoutValue(detail: string): void {
    this.#note("FieldValueInvalid", "Invalid value", detail);
  }

  /** One cause for each problem with the same value. */
  invalidAll(value: unknown, problems: readonly string[]): void {
    for (const problem of problems) this.invalid(value, problem);
  }

  notSupported(value: unknown, supported: readonly string[]): void {
    const names = supported.map((name) => JSON.stringify(name)).join(", ");
    const detail = supported.length > 0 ? `supported values: ${names}` : "";
    this.#note("FieldValueNotSupported", `Unsupported value: ${printed(value)}`, detail);
  }

  duplicate(value: unknown): void {
    this.#note("FieldValueDuplicate", `Duplicate value: ${printed(value)}`, "");
  }

  duplicateWithoutValue(): void {
    this.#note("FieldValueDuplicate", "Duplicate value", "");
  }

  notFound(value: unknown): void {
    this.#note("FieldValueNotFound", `Not found: ${printed(value)}`, "");
  }

  forbidden(detail: string): void {
    this.#note("FieldValueForbidden", "Forbidden", detail);
  }

  tooLong(limitBytes: number): void {
    const unit = limitBytes === 1 ? "byte" : "bytes";
    this.#note("FieldValueTooLong", "Too long", `may not be more than ${limitBytes} ${unit}`);
  }

  tooMany(count: number, limit: number): void {
    const unit = limit === 1 ? "item" : "items";
    this.#note("FieldValueTooMany", `Too many: ${count}`, `must have at most ${limit} ${unit}`);
  }

  #note(reason: string, what: string, detail: string): void {
    const message = detail === "" ? what : `${what}: ${detail}`;
    this.#causes.push({ reason, message, field: this.path });
  }
}

/** Runs a check from the object's root and answers what it noted, each cause once. */
export function causesOf(check: (root: Field) => void): readonly StatusCause[] {
  const causes: StatusCause[] = [];
  check(new Field("", causes));
  const seen = new Set<string>();
  return causes.filter((cause) => {
    const text = `${cause.field}: ${cause.message}`;
    return !seen.has(text) && seen.add(text);
  });
}

function printed(value: unknown): string {
  return value === undefined || value === null ? "null" : JSON.stringify(value);
}
