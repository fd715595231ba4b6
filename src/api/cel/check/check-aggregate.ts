import type { Checker } from "#api/cel/check/checker.ts";
import { mostGeneral } from "#api/cel/check/substitutions.ts";
import type {
  Expression,
  ListExpression,
  MapExpression,
  StructExpression,
} from "#api/cel/syntax/expression.ts";
import {
  dynType,
  errorType,
  isDynamic,
  isOptional,
  listOf,
  mapOf,
  optionalOf,
  type Type,
  withoutOptional,
} from "#api/cel/type.ts";

/** The type of a list, map or object that the expression writes out. */
export function checkAggregate(
  checker: Checker,
  expression: ListExpression | MapExpression | StructExpression,
): Type {
  switch (expression.kind) {
    case "list":
      return checkList(checker, expression);
    case "map":
      return checkMap(checker, expression);
    case "struct":
      return checkStruct(checker, expression);
  }
}

function checkList(checker: Checker, { items }: ListExpression): Type {
  let joined: Type | undefined;
  for (const { value, isOptional: optional } of items) {
    joined = join(checker, joined, contentOf(checker, value, optional));
  }
  return listOf(joined ?? checker.newParameter());
}

function checkMap(checker: Checker, { entries }: MapExpression): Type {
  let keys: Type | undefined;
  let values: Type | undefined;
  for (const { key, value, isOptional: optional } of entries) {
    keys = join(checker, keys, checker.check(key));
    values = join(checker, values, contentOf(checker, value, optional));
  }
  return mapOf(keys ?? checker.newParameter(), values ?? checker.newParameter());
}

/** The type of what is put in: `?x` puts in what is in the optional `x`. */
function contentOf(checker: Checker, value: Expression, optional: boolean): Type {
  const type = checker.check(value);
  if (!optional) return type;
  const applied = checker.substitutions.apply(type);
  if (!isOptional(applied) && !isDynamic(applied)) {
    checker.mismatch(value.at, optionalOf(applied), applied);
  }
  return withoutOptional(applied);
}

/** What does not go together is found later, where the types of all parts are known. */
function join(checker: Checker, previous: Type | undefined, next: Type): Type {
  if (previous === undefined) return next;
  if (checker.substitutions.assign(previous, next)) return mostGeneral(previous, next);
  return dynType;
}

function checkStruct(checker: Checker, expression: StructExpression): Type {
  const type = structOf(checker, expression);
  for (const field of expression.fields) {
    const given = contentOf(checker, field.value, field.isOptional);
    if (type.kind !== "struct") continue;
    const wanted = type.fieldOf?.(field.name);
    if (wanted === undefined) checker.note(field.at, `undefined field '${field.name}'`);
    else if (!checker.substitutions.assign(wanted, given)) {
      checker.note(
        field.at,
        `expected type of field '${field.name}' is '${checker.format(wanted)}' but provided type is '${checker.format(given)}'`,
      );
    }
  }
  return type;
}

function structOf(checker: Checker, expression: StructExpression): Type {
  const { at, name } = expression;
  for (const candidate of checker.candidates(name)) {
    const type = checker.environment.typeOf(candidate);
    if (type === undefined) {
      const variable = checker.environment.variables.get(candidate);
      if (variable !== undefined)
        return checker.note(at, `'${checker.format(variable)}' is not a type`);
      continue;
    }
    if (type.kind !== "struct") {
      return checker.note(at, `'${checker.format(type)}' is not a message type`);
    }
    checker.refer(expression, { kind: "type", type });
    return type;
  }
  checker.undeclared(at, name);
  return errorType;
}
