import { evaluate } from "#api/cel/compile-expression.ts";
import {
  CostExceededError,
  EvaluationError,
  noValue,
  OptionalValue,
  type Value,
} from "#api/cel/value.ts";
import { withinLimit } from "#api/cel/work.ts";
import { type CompiledRule, compileRules } from "#api/custom/rules/compile-rules.ts";
import { declaredTypeOf } from "#api/custom/rules/declared-type.ts";
import type { Rule } from "#api/custom/rules/rule.ts";
import { itemsOfProps, type SchemaProps, valuesOfProps } from "#api/custom/schema-props.ts";
import type { StatusCause } from "#api/generated/types.ts";
import type { Json } from "#api/meta.ts";
import { fieldOf, isObject, jsonEqual, type JsonObject } from "#api/patch/json-object.ts";
import { causesOf, Field } from "#api/validation/field.ts";

/** What all rules of an object may cost together: about a second upstream. */
const objectCostMax = 10_000_000;
/** And how much work behind it. */
const stepsMax = 100_000_000;

/** The rules of a schema and of what is in it, ready to run; undefined where there are none. */
export interface RuleTree {
  readonly props: SchemaProps;
  readonly rules: readonly CompiledRule[];
  readonly items: RuleTree | undefined;
  readonly values: RuleTree | undefined;
  readonly properties: ReadonlyMap<string, RuleTree>;
}

export function ruleTreeOf(props: SchemaProps, isResource = true): RuleTree | undefined {
  const items = itemsOfProps(props);
  const values = valuesOfProps(props);
  const tree = {
    props,
    rules: ownRules(props, isResource),
    items: items && ruleTreeOf(items, isEmbedded(items)),
    values: values && ruleTreeOf(values, isEmbedded(values)),
    properties: new Map<string, RuleTree>(),
  };
  for (const [name, property] of Object.entries(props.properties ?? {})) {
    const inner = ruleTreeOf(property, isEmbedded(property));
    if (inner !== undefined) tree.properties.set(name, inner);
  }
  const isEmpty = tree.rules.length === 0 && tree.items === undefined && tree.values === undefined;
  return isEmpty && tree.properties.size === 0 ? undefined : tree;
}

function ownRules(props: SchemaProps, isResource: boolean): readonly CompiledRule[] {
  if ((props["x-kubernetes-validations"] ?? []).length === 0) return [];
  const declared = declaredTypeOf(props, { name: "selfType", isResource });
  return declared === undefined ? [] : compileRules(props, declared.type);
}

function isEmbedded(props: SchemaProps): boolean {
  return props["x-kubernetes-embedded-resource"] === true;
}

/**
 * What an object does wrong by the rules of its schema, in upstream's words. With `old`, rules that compare the two
 * are run as well, and what has not changed passes (KEP-4008).
 */
export function evaluateRules(
  tree: RuleTree,
  object: JsonObject,
  old: JsonObject | undefined,
): Verdict {
  const evaluation = fresh();
  const causes = causesOf((field) => {
    const unchanged = (): boolean => old !== undefined && jsonEqual(object, old);
    withinLimit(() => visit(tree, { field, value: object, old, unchanged }, evaluation), stepsMax);
  });
  return { causes: causes.map(named), passed: evaluation.passed.map(named) };
}

export interface Verdict {
  readonly causes: readonly StatusCause[];
  /** What passes only because it was so before. */
  readonly passed: readonly StatusCause[];
}

function named(cause: StatusCause): StatusCause {
  return cause.field === "" ? { ...cause, field: "<nil>" } : cause;
}

/** Notes what a default does wrong by the rules of its schema; it counts as its own old value, but does not pass. */
export function evaluateDefault(field: Field, tree: RuleTree, value: Json): void {
  visit(tree, { field, value, old: value, unchanged: () => false }, fresh());
}

function fresh(): Evaluation {
  return { costLeft: objectCostMax, isOver: false, passed: [] };
}

interface Evaluation {
  costLeft: number;
  /** Nothing more is run. */
  isOver: boolean;
  readonly passed: StatusCause[];
}

interface Placed {
  readonly field: Field;
  readonly value: Json;
  /** What stood in its place before; undefined where nothing did or nobody can tell. */
  readonly old: Json | undefined;
  /** It, or the nearest thing around it that can be compared, is as it was. */
  readonly unchanged: () => boolean;
}

function visit(tree: RuleTree, placed: Placed, evaluation: Evaluation): void {
  const { value } = placed;
  if (evaluation.isOver || value === null) return;
  for (const compiled of tree.rules) {
    if (!evaluation.isOver) run(tree.props, compiled, { placed, evaluation });
  }
  if (evaluation.isOver) return;
  if (Array.isArray(value)) visitItems(tree, placed, evaluation);
  else if (isObject(value)) visitFields(tree, placed, evaluation);
}

function visitItems({ items, props }: RuleTree, placed: Placed, evaluation: Evaluation): void {
  if (items === undefined || !Array.isArray(placed.value)) return;
  const before = correlatedItems(props, placed.old);
  for (const [index, value] of placed.value.entries()) {
    const old = before(value);
    visit(items, inside(placed, { field: placed.field.index(index), value, old }), evaluation);
  }
}

/** Only items of a list map can be told apart from one version to the next. */
function correlatedItems(
  props: SchemaProps,
  old: Json | undefined,
): (item: Json) => Json | undefined {
  const keys = props["x-kubernetes-list-map-keys"] ?? [];
  if (props["x-kubernetes-list-type"] !== "map" || !Array.isArray(old)) return () => undefined;
  const keyOf = (item: Json): string => {
    return JSON.stringify(
      keys.map((key) => (isObject(item) ? (fieldOf(item, key) ?? null) : null)),
    );
  };
  const byKey = new Map(old.map((item) => [keyOf(item), item]));
  return (item) => byKey.get(keyOf(item));
}

function visitFields(tree: RuleTree, placed: Placed, evaluation: Evaluation): void {
  const { value, old } = placed;
  if (!isObject(value)) return;
  for (const name of Object.keys(value)) {
    const property = tree.properties.get(name);
    const inner = property ?? tree.values;
    if (inner === undefined) continue;
    const field = property === undefined ? placed.field.key(name) : placed.field.child(name);
    const before = isObject(old) ? fieldOf(old, name) : undefined;
    const own = { field, value: fieldOf(value, name) ?? null, old: before };
    visit(inner, inside(placed, own), evaluation);
  }
}

function inside(outer: Placed, own: Pick<Placed, "field" | "value" | "old">): Placed {
  let known: boolean | undefined;
  const unchanged = (): boolean => {
    known ??= own.old === undefined ? outer.unchanged() : jsonEqual(own.value, own.old);
    return known;
  };
  return { ...own, unchanged };
}

/** As many as anybody reads as warnings. */
const passedMax = 20;

interface Running {
  readonly placed: Placed;
  readonly evaluation: Evaluation;
}

function run(props: SchemaProps, compiled: CompiledRule, running: Running): void {
  const { placed, evaluation } = running;
  const { rule, program, error } = compiled;
  const { field, value, old } = placed;
  const type = props.type ?? "";
  if (error !== undefined) return field.invalid(type, `rule compile error: ${error}`);
  if (program === undefined) return;
  if (evaluation.costLeft <= 0) return exhausted(running, type);
  if (compiled.usesOldSelf && old === undefined && rule.optionalOldSelf !== true) return;
  const variables = variablesOf(rule, value, old);
  const outcome = evaluate(program, variables);
  if (outcome.cost > evaluation.costLeft) return exhausted(running, type);
  evaluation.costLeft -= outcome.cost;
  if (!outcome.ok) return failed(running, type, { rule, error: outcome.error });
  if (outcome.value === true) return;
  const violation = { ...running, variables };
  if (compiled.usesOldSelf || !placed.unchanged()) return violated(props, compiled, violation);
  const aside = new Field(field.path, evaluation.passed);
  if (evaluation.passed.length < passedMax) {
    violated(props, compiled, { ...violation, placed: { ...placed, field: aside } });
  }
}

function variablesOf(
  rule: Rule,
  self: Json,
  old: Json | undefined,
): Readonly<Record<string, Value>> {
  if (rule.optionalOldSelf === true) {
    return { self, oldSelf: old === undefined ? noValue : new OptionalValue(old) };
  }
  return old === undefined ? { self } : { self, oldSelf: old };
}

function exhausted({ placed, evaluation }: Running, type: string): void {
  evaluation.isOver = true;
  placed.field.invalid(
    type,
    "validation failed due to running out of cost budget, no further validation rules will be run",
  );
}

function failed(
  { placed, evaluation }: Running,
  type: string,
  { rule, error }: { readonly rule: Rule; readonly error: EvaluationError | CostExceededError },
): void {
  const text = textOf(rule);
  const { message } = error;
  if (error instanceof CostExceededError) {
    evaluation.isOver = true;
    placed.field.invalid(
      type,
      `'${message}': no further validation rules will be run due to call cost exceeds limit for rule: ${text}`,
    );
  } else if (message.startsWith("no such overload")) {
    placed.field.invalid(
      type,
      `'${message}': call arguments did not match a supported operator, function or macro signature for rule: ${text}`,
    );
  } else placed.field.invalid(type, `${message} evaluating rule: ${text}`);
}

function textOf({ message, rule }: Rule): string {
  return (message === "" ? rule : message).trim();
}

interface Violated extends Running {
  readonly variables: Readonly<Record<string, Value>>;
}

function violated(props: SchemaProps, compiled: CompiledRule, running: Violated): void {
  const { rule, fieldPath } = compiled;
  const { field, value } = running.placed;
  const at = fieldPath === undefined ? field : field.child(fieldPath);
  const message = evaluateMessage(compiled, running);
  if (message !== undefined && "refusal" in message) {
    running.evaluation.isOver = true;
    return at.invalid(props.type ?? "", message.refusal);
  }
  const detail = message?.text ?? defaultMessage(rule);
  const isWhole = props.type === "object" || props.type === "array";
  switch (rule.reason) {
    case "FieldValueForbidden":
      return at.forbidden(detail);
    case "FieldValueRequired":
      return at.required(detail);
    case "FieldValueDuplicate":
      return isWhole ? at.duplicateWithoutValue() : at.duplicate(value);
    default:
      return isWhole ? at.invalidWithoutValue(detail) : at.invalid(value, detail);
  }
}

function defaultMessage(rule: Rule): string {
  return rule.message === "" ? `failed rule: ${textOf(rule)}` : rule.message.trim();
}

const messageBytesMax = 5 * 1024;

/** Undefined where the expression gives no usable text, and the rule's own message stands. */
function evaluateMessage(
  { message, rule }: CompiledRule,
  { evaluation, variables }: Violated,
): { readonly text: string } | { readonly refusal: string } | undefined {
  if (message === undefined) return undefined;
  const outcome = evaluate(message, variables);
  if (outcome.cost > evaluation.costLeft) {
    return {
      refusal:
        "messageExpression evaluation failed due to running out of cost budget, no further validation rules will be run",
    };
  }
  evaluation.costLeft -= outcome.cost;
  if (!outcome.ok) {
    if (outcome.error instanceof EvaluationError) return undefined;
    const source = JSON.stringify(rule.messageExpression);
    return {
      refusal: `no further validation rules will be run due to call cost exceeds limit for messageExpression: ${source}`,
    };
  }
  const text = typeof outcome.value === "string" ? outcome.value.trim() : "";
  const isUsable = text !== "" && !text.includes("\n");
  return isUsable && new TextEncoder().encode(text).length <= messageBytesMax
    ? { text }
    : undefined;
}
