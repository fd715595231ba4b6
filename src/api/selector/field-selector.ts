import { badRequest } from "#api/status.ts";

/** One condition of a field selector. */
export interface FieldRequirement {
  readonly field: string;
  readonly operator: "=" | "!=";
  readonly value: string;
}

/** Answers whether an object's fields fulfil all requirements. */
export interface FieldMatcher {
  readonly requirements: readonly FieldRequirement[];
  readonly matchesEverything: boolean;
  /** `fieldOf` gives the value of a known field as text, "" where it is not set. */
  matches(fieldOf: (field: string) => string): boolean;
  /** The one value that `field` must have, if the selector says so: lets a list by name become a get. */
  exactValue(field: string): string | undefined;
  toString(): string;
}

/**
 * Parses `spec.nodeName=a,status.phase!=Failed` as apimachinery's `fields.ParseSelector` does. `known` are the
 * fields of the kind that may be selected by. Throws a 400 with upstream's text.
 */
export function parseFieldSelector(text: string, known: ReadonlySet<string>): FieldMatcher {
  const parts = text.split(",").filter((part) => part !== "");
  const requirements = parts.toSorted().map((part) => parsePart(text, part));
  for (const { field } of requirements) assertKnown(field, known);
  return {
    requirements,
    matchesEverything: requirements.length === 0,
    matches: (fieldOf) =>
      requirements.every(
        ({ field, operator, value }) => (fieldOf(field) === value) === (operator === "="),
      ),
    exactValue: (field) =>
      requirements.find((one) => one.field === field && one.operator === "=")?.value,
    toString: () =>
      requirements.map(({ field, operator, value }) => field + operator + value).join(","),
  };
}

const metadataFields = ["metadata.name", "metadata.namespace"];

function parsePart(selector: string, part: string): FieldRequirement {
  for (const sign of ["!=", "==", "="]) {
    const [field, value, ...more] = part.split(sign);
    if (field === undefined || value === undefined || more.length > 0) continue;
    return { field, operator: sign === "!=" ? "!=" : "=", value };
  }
  throw badRequest(`invalid selector: '${selector}'; can't understand '${part}'`);
}

/** Upstream words it differently for kinds that have no fields of their own to select by. */
function assertKnown(field: string, known: ReadonlySet<string>): void {
  if (known.has(field) || metadataFields.includes(field)) return;
  const hasOwnFields = [...known].some((name) => !metadataFields.includes(name));
  throw badRequest(
    hasOwnFields
      ? `field label not supported: ${field}`
      : `${JSON.stringify(field)} is not a known field selector: only "metadata.name", "metadata.namespace"`,
  );
}
