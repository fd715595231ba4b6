import {
  evaluateRules,
  type RuleTree,
  ruleTreeOf,
  type Verdict,
} from "#api/custom/rules/evaluate-rules.ts";
import type { SchemaProps } from "#api/custom/schema-props.ts";
import { validateAgainst } from "#api/custom/validate-value.ts";
import type { StatusCause } from "#api/generated/types.ts";
import type { JsonObject } from "#api/patch/json-object.ts";

/** Checks objects of a custom kind: their shape first, then the rules of its schema. */
export interface Validator {
  readonly validate: (object: JsonObject, old?: JsonObject) => readonly StatusCause[];
  /** What is against the rules and passes because it was so before. Asked before the update is validated. */
  readonly warnings: (object: JsonObject, old: JsonObject | undefined) => readonly string[];
}

/** The rules are compiled when the first object comes. */
export function validatorOf(props: SchemaProps): Validator {
  let rules: { readonly tree: RuleTree | undefined } | undefined;
  /** The warnings come first and leave the verdict to the validation of the same update. */
  let last:
    | { readonly object: JsonObject; readonly old: JsonObject; readonly verdict: Verdict }
    | undefined;
  const judge = (object: JsonObject, old: JsonObject | undefined): Verdict => {
    rules ??= { tree: ruleTreeOf(props) };
    const { tree } = rules;
    const causes = validateAgainst(object, props, old);
    if (tree === undefined) return { causes, passed: [] };
    const isBlocked = causes.some(({ reason = "" }) => blocking.has(reason));
    if (isBlocked) return { causes: [...causes, unchecked], passed: [] };
    const found = evaluateRules(tree, object, old);
    return { ...found, causes: [...causes, ...found.causes] };
  };
  return {
    validate: (object, old) => {
      const known = last;
      last = undefined;
      const isKnown = known !== undefined && known.object === object && known.old === old;
      return (isKnown ? known.verdict : judge(object, old)).causes;
    },
    warnings: (object, old) => {
      if (old === undefined) return [];
      const verdict = judge(object, old);
      last = { object, old, verdict };
      return verdict.passed.map(({ field, message }) => `${field}: ${message}`);
    },
  };
}

/** With such faults values are not what rules may rely on. */
const blocking: ReadonlySet<string> = new Set([
  "FieldValueNotSupported",
  "FieldValueRequired",
  "FieldValueTooLong",
  "FieldValueTooMany",
  "FieldValueTypeInvalid",
]);

const unchecked: StatusCause = {
  reason: "FieldValueInvalid",
  message:
    "Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
  field: "<nil>",
};
