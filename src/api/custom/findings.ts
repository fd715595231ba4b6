import type { StatusCause } from "#api/generated/types.ts";
import type { Json } from "#api/meta.ts";

/** The causes of a refusal that the values of a custom resource give, in upstream's words. */
export class Findings {
  readonly causes: StatusCause[] = [];

  /** Enough for anybody: what comes after is not looked at. */
  get isFull(): boolean {
    return this.causes.length >= causesMax;
  }

  /** `expected` is a type or a format, `given` the type or the text that stands there. */
  wrongType(path: string, expected: string, given: string): void {
    const problem = `${path} in body must be of type ${expected}: ${JSON.stringify(given)}`;
    this.#note(
      "FieldValueTypeInvalid",
      path,
      `Invalid value: ${JSON.stringify(given)}: ${problem}`,
    );
  }

  invalid(path: string, value: Json, problem: string): void {
    const text = `Invalid value: ${JSON.stringify(value)}: ${path} in body ${problem}`;
    this.#note("FieldValueInvalid", path, text);
  }

  required(path: string, detail = ""): void {
    this.#note(
      "FieldValueRequired",
      path,
      detail === "" ? "Required value" : `Required value: ${detail}`,
    );
  }

  notSupported(path: string, value: Json, supported: readonly Json[]): void {
    const names = supported.map((one) => {
      return JSON.stringify(typeof one === "string" ? one : JSON.stringify(one));
    });
    const text = `Unsupported value: ${JSON.stringify(value)}: supported values: ${names.join(", ")}`;
    this.#note("FieldValueNotSupported", path, text);
  }

  duplicate(path: string, value: Json): void {
    this.#note("FieldValueDuplicate", path, `Duplicate value: ${JSON.stringify(value)}`);
  }

  tooLong(path: string, limit: number): void {
    const unit = limit === 1 ? "byte" : "bytes";
    this.#note("FieldValueTooLong", path, `Too long: may not be more than ${limit} ${unit}`);
  }

  tooMany(path: string, count: number, limit: number): void {
    const unit = limit === 1 ? "item" : "items";
    this.#note("FieldValueTooMany", path, `Too many: ${count}: must have at most ${limit} ${unit}`);
  }

  /** What is wrong with a combination of schemas is said of no field: the text names it. */
  junctor(path: string, problem: string): void {
    this.#note(
      "FieldValueInvalid",
      "<nil>",
      `Invalid value: "": ${JSON.stringify(path)} ${problem}`,
    );
  }

  take(other: Findings): void {
    for (const { reason, field, message } of other.causes) {
      this.#note(reason ?? "", field ?? "", message ?? "");
    }
  }

  #note(reason: string, field: string, message: string): void {
    if (this.isFull) return;
    if (this.causes.some((cause) => cause.field === field && cause.message === message)) return;
    this.causes.push({ reason, message, field });
  }
}

const causesMax = 100;
