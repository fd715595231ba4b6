import { evaluateRules, type RuleTree, ruleTreeOf } from "#api/custom/rules/evaluate-rules.ts";
import type { SchemaProps } from "#api/custom/schema-props.ts";
import { validateAgainst } from "#api/custom/validate-value.ts";
import type { StatusCause } from "#api/generated/types.ts";
import type { JsonObject } from "#api/patch/json-object.ts";

/** Checks objects of a custom kind: their shape first, then the rules of its schema. */
export type Validator = (object: JsonObject, old?: JsonObject) => readonly StatusCause[];

/** The rules are compiled when the first object comes. */
export function validatorOf(props: SchemaProps): Validator {
  let rules: { readonly tree: RuleTree | undefined } | undefined;
  return (object, old) => {
    const causes = validateAgainst(object, props, old);
    rules ??= { tree: ruleTreeOf(props) };
    const { tree } = rules;
    if (tree === undefined) return causes;
    const isBlocked = causes.some(({ reason = "" }) => blocking.has(reason));
    return [...causes, ...(isBlocked ? [unchecked] : evaluateRules(tree, object, old))];
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
