import type { Json } from "#api/meta.ts";
import { isObject } from "#api/patch/json-object.ts";
import type { SchemaProps } from "#api/custom/schema-props.ts";

/** An `x-kubernetes-validations` entry, read without trust. */
export interface Rule {
  readonly rule: string;
  readonly message: string;
  readonly messageExpression: string;
  /** Absent: Invalid. */
  readonly reason: string | undefined;
  readonly fieldPath: string;
  readonly optionalOldSelf: boolean | undefined;
  /** As it stands in the definition, for messages. */
  readonly source: Json;
}

export function rulesOf(props: SchemaProps): readonly Rule[] {
  return (props["x-kubernetes-validations"] ?? []).map(readRule);
}

function readRule(source: Json): Rule {
  const given = isObject(source) ? source : {};
  const text = (field: string): string => {
    const value = given[field];
    return typeof value === "string" ? value : "";
  };
  const optional = given["optionalOldSelf"];
  return {
    rule: text("rule"),
    message: text("message"),
    messageExpression: text("messageExpression"),
    reason: typeof given["reason"] === "string" ? given["reason"] : undefined,
    fieldPath: text("fieldPath"),
    optionalOldSelf: typeof optional === "boolean" ? optional : undefined,
    source,
  };
}

export const ruleReasons = [
  "FieldValueDuplicate",
  "FieldValueForbidden",
  "FieldValueInvalid",
  "FieldValueRequired",
] as const;
