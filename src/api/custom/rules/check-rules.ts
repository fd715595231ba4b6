import type { Type } from "#api/cel/type.ts";
import { type CompiledRule, compileRules } from "#api/custom/rules/compile-rules.ts";
import {
  type DeclaredType,
  declaredTypeOf,
  requestBytesMax,
} from "#api/custom/rules/declared-type.ts";
import { evaluateDefault, ruleTreeOf } from "#api/custom/rules/evaluate-rules.ts";
import { type Rule, ruleReasons, rulesOf } from "#api/custom/rules/rule.ts";
import { ruleFieldPath } from "#api/custom/rules/rule-field-path.ts";
import { itemsOfProps, type SchemaProps, valuesOfProps } from "#api/custom/schema-props.ts";
import type { Field } from "#api/validation/field.ts";

/** What one rule, and all rules of a schema, may cost by estimate: upstream's limits. */
const ruleCostMax = 10_000_000;
const schemaCostMax = 100_000_000;

/** Notes what is wrong with how the rules of a schema are written, at every level. */
export function checkRuleForms(field: Field, props: SchemaProps): void {
  for (const [index, rule] of rulesOf(props).entries()) {
    checkForm(field.child("x-kubernetes-validations").index(index), props, rule);
  }
  const items = itemsOfProps(props);
  if (items !== undefined) checkRuleForms(field.child("items"), items);
  const values = valuesOfProps(props);
  if (values !== undefined) checkRuleForms(field.child("additionalProperties"), values);
  for (const [name, inner] of Object.entries(props.properties ?? {})) {
    checkRuleForms(field.child("properties").key(name), inner);
  }
}

const lineBreak = /[\n\r]/;

function checkForm(field: Field, props: SchemaProps, given: Rule): void {
  const { rule, message, messageExpression, reason, fieldPath } = given;
  const [text, note] = [rule.trim(), message.trim()];
  if (text === "") field.child("rule").required("rule is not specified");
  else if (message !== "" && note === "") {
    field.child("message").invalid(message, "must be non-empty if specified");
  } else if (lineBreak.test(note)) {
    field.child("message").invalid(message, "must not contain line breaks");
  } else if (lineBreak.test(text) && note === "") {
    field.child("message").required("message must be specified if rule contains line breaks");
  }
  if (messageExpression !== "" && messageExpression.trim() === "") {
    field.child("messageExpression").required("messageExpression must be non-empty if specified");
  }
  if (reason !== undefined && !ruleReasons.some((known) => known === reason)) {
    field.child("reason").notSupported(reason, ruleReasons);
  }
  if (fieldPath === "") return;
  const at = field.child("fieldPath");
  if (fieldPath.trim() === "") at.invalid(fieldPath, "must be non-empty if specified");
  if (lineBreak.test(fieldPath)) at.invalid(fieldPath, "must not contain line breaks");
  if (ruleFieldPath(fieldPath, props) === undefined) at.invalid(fieldPath, "must be a valid path");
}

/**
 * Notes what is wrong with the expressions of a structural schema's rules: types, names, and what they could cost
 * at most given the bounds that the schema sets.
 */
export function checkRules(field: Field, props: SchemaProps): void {
  const declared = declaredTypeOf(props, { name: "selfType", isResource: true });
  if (declared === undefined) return;
  const total: Total = { cost: 0, expensive: [] };
  checkLevel(field, props, { declared, cardinality: 1, uncorrelated: undefined, total });
  if (total.cost <= schemaCostMax) return;
  for (const { at } of total.expensive) {
    at.forbidden(
      "contributed to estimated rule cost total exceeding cost limit for entire OpenAPIv3 schema",
    );
  }
  const what = "x-kubernetes-validations estimated rule cost total for entire OpenAPIv3 schema";
  field.forbidden(costMessage(what, total.cost, schemaCostMax));
}

interface Total {
  cost: number;
  /** The most expensive rules, the worst first. */
  expensive: { readonly at: Field; readonly cost: number }[];
}

interface Level {
  /** Undefined where expressions see nothing of it. */
  readonly declared: DeclaredType | undefined;
  /** How many such values an object can hold; undefined: as many as go into a request. */
  readonly cardinality: number | undefined;
  /** The list or map around it whose entries cannot be told apart from one version to the next. */
  readonly uncorrelated: string | undefined;
  readonly total: Total;
}

function checkLevel(field: Field, props: SchemaProps, level: Level): void {
  checkInner(field, props, level);
  const { declared } = level;
  if (declared === undefined) return;
  const before = field.noted;
  for (const [index, compiled] of compileRules(props, declared.type).entries()) {
    const at = field.child("x-kubernetes-validations").index(index);
    checkCompiled(at, compiled, { ...level, declared });
  }
  if (field.noted === before) checkDefault(field, props);
}

/** Where rules run, a default must fulfil them. */
function checkDefault(field: Field, props: SchemaProps): void {
  const { default: value } = props;
  if (value === undefined || value === null) return;
  const tree = ruleTreeOf(props, isEmbedded(props));
  if (tree !== undefined) evaluateDefault(field.child("default"), tree, value);
}

function checkInner(field: Field, props: SchemaProps, level: Level): void {
  const times = timesOf(props);
  const { cardinality: outer, declared, total } = level;
  const cardinality = outer === undefined || times === undefined ? undefined : outer * times;
  const base = { cardinality, total, uncorrelated: level.uncorrelated };
  const values = valuesOfProps(props);
  if (values !== undefined) {
    const inner = innerType(declared, values, (type) => type.parameters[1]);
    checkLevel(field.child("additionalProperties"), values, { ...base, declared: inner });
  }
  for (const [name, property] of Object.entries(props.properties ?? {})) {
    const inner = declaredTypeOf(property, {
      name: `${nameOf(declared)}.${name}`,
      isResource: isEmbedded(property),
    });
    checkLevel(field.child("properties").key(name), property, {
      ...base,
      declared: declared && inner,
    });
  }
  const items = itemsOfProps(props);
  if (items === undefined) return;
  const isMap = props["x-kubernetes-list-type"] === "map";
  const uncorrelated = isMap ? level.uncorrelated : field.path;
  const inner = innerType(declared, items, (type) => type.parameters[0]);
  checkLevel(field.child("items"), items, { ...base, uncorrelated, declared: inner });
}

function innerType(
  declared: DeclaredType | undefined,
  props: SchemaProps,
  part: (type: Type) => Type | undefined,
): DeclaredType | undefined {
  if (declared === undefined || part(declared.type) === undefined) return undefined;
  const name = `${nameOf(declared)}.@elem`;
  return declaredTypeOf(props, { name, isResource: isEmbedded(props) });
}

function nameOf(declared: DeclaredType | undefined): string {
  return declared?.type.name ?? "object";
}

function isEmbedded(props: SchemaProps): boolean {
  return props["x-kubernetes-embedded-resource"] === true;
}

/** How many of what is inside there can be in each of them; undefined: unbounded. */
function timesOf(props: SchemaProps): number | undefined {
  if (props.type === "array")
    return props.maxItems === undefined ? undefined : Math.max(props.maxItems, 0);
  if (props.type !== "object" || props.additionalProperties === undefined) return 1;
  return props.maxProperties === undefined ? undefined : Math.max(props.maxProperties, 0);
}

function checkCompiled(
  field: Field,
  compiled: CompiledRule,
  level: Level & { readonly declared: DeclaredType },
): void {
  const { rule, error, messageError } = compiled;
  const at = field.child("rule");
  checkCost(at, compiled, level);
  if (error !== undefined) at.invalid(rule.source, error);
  const message = field.child("messageExpression");
  if (messageError !== undefined) message.invalid(rule.source, messageError);
  else checkMessageCost(message, compiled, level);
  if (compiled.usesOldSelf && level.uncorrelated !== undefined) {
    const where = level.uncorrelated;
    at.invalid(
      rule.rule,
      `oldSelf cannot be used on the uncorrelatable portion of the schema within ${where}`,
    );
  } else if (!compiled.usesOldSelf && rule.optionalOldSelf !== undefined) {
    const wrong = "may not be set if oldSelf is not used in rule";
    field.child("optionalOldSelf").invalid(rule.optionalOldSelf, wrong);
  }
}

function checkCost(
  at: Field,
  { program }: CompiledRule,
  { declared, cardinality, total }: Level & { readonly declared: DeclaredType },
): void {
  if (program === undefined) return;
  const times = cardinality ?? Math.floor(requestBytesMax / (declared.bytesMin + 1));
  const cost = Math.min(program.estimate(sizesOf(declared)).max * times, 2 ** 64);
  if (cost > ruleCostMax) at.forbidden(costMessage("estimated rule cost", cost, ruleCostMax));
  observe(total, at, cost);
}

function checkMessageCost(
  at: Field,
  { message }: CompiledRule,
  { declared, total }: Level & { readonly declared: DeclaredType },
): void {
  if (message === undefined) return;
  const cost = message.estimate(sizesOf(declared)).max;
  if (cost > ruleCostMax) {
    at.forbidden(costMessage("estimated messageExpression cost", cost, ruleCostMax));
  }
  observe(total, at, cost);
}

function sizesOf({ type }: DeclaredType): ReadonlyMap<string, Type> {
  return new Map([
    ["self", type],
    ["oldSelf", type],
  ]);
}

const expensiveMax = 4;

function observe(total: Total, at: Field, cost: number): void {
  total.cost += cost;
  if (cost < schemaCostMax / 100) return;
  total.expensive = [...total.expensive, { at, cost }]
    .toSorted((a, b) => b.cost - a.cost)
    .slice(0, expensiveMax);
}

function costMessage(what: string, cost: number, limit: number): string {
  const factor = cost / limit;
  const places = factor < 1.5 ? 6 : 1;
  const text = factor > 100 ? "more than 100x" : `${factor.toFixed(places)}x`;
  return `${what} exceeds budget by factor of ${text} (try simplifying the rule, or adding maxItems, maxProperties, and maxLength where arrays, maps, and strings are declared)`;
}
