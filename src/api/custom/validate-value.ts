import type { StatusCause } from "#api/generated/types.ts";
import type { Json } from "#api/meta.ts";
import { fieldOf, isObject, jsonEqual, type JsonObject } from "#api/patch/json-object.ts";
import { checkLists } from "#api/custom/check-lists.ts";
import { Findings } from "#api/custom/findings.ts";
import { compilePattern } from "#api/custom/pattern.ts";
import {
  itemsOfProps,
  propertyOf,
  valuesOfProps,
  type SchemaProps,
} from "#api/custom/schema-props.ts";
import { hasFormat } from "#api/custom/string-formats.ts";

/**
 * What is wrong with an object by its schema: every violation, in the words of `k8s.io/kube-openapi`. With an `old`
 * object, values that have not changed pass, so that a schema can become stricter (KEP-4008, ratcheting).
 */
export function validateAgainst(
  object: JsonObject,
  props: SchemaProps,
  old?: JsonObject,
): readonly StatusCause[] {
  const findings = new Findings();
  checkValue(findings, props, { value: object, old, path: "" });
  checkLists(findings, props, { value: object, old, path: "" });
  return findings.causes;
}

/** A value, what stood in its place before, and where it is. */
export interface Placed {
  readonly value: Json;
  readonly old: Json | undefined;
  readonly path: string;
}

function checkValue(findings: Findings, props: SchemaProps, placed: Placed): void {
  const { value, old } = placed;
  if (findings.isFull || (old !== undefined && jsonEqual(value, old))) return;
  checkType(findings, props, placed);
  checkEnum(findings, props, placed);
  if (value === null) return;
  checkJunctors(findings, props, placed);
  if (typeof value === "string") checkText(findings, props, placed.path, value);
  if (typeof value === "number") checkNumber(findings, props, placed.path, value);
  if (Array.isArray(value)) checkItems(findings, props, placed);
  if (isObject(value)) checkFields(findings, props, placed);
}

function checkType(findings: Findings, props: SchemaProps, { value, path }: Placed): void {
  const given = typeNameOf(value);
  if (props["x-kubernetes-int-or-string"]) {
    if (given === "integer" || given === "string" || (value === null && props.nullable)) return;
    return findings.wrongType(path, "integer,string", given);
  }
  const wanted = props.type ?? "";
  if (wanted === "" || wanted === given) return;
  if (value === null && props.nullable) return;
  if (wanted === "number" && given === "integer") return;
  findings.wrongType(path, wanted, given);
}

function typeNameOf(value: Json): string {
  if (value === null) return "null";
  if (Array.isArray(value)) return "array";
  if (typeof value === "number") return Number.isInteger(value) ? "integer" : "number";
  return typeof value;
}

function checkEnum(findings: Findings, props: SchemaProps, { value, path }: Placed): void {
  if (props.enum === undefined || props.enum.length === 0) return;
  if (value === null && props.nullable) return;
  if (!props.enum.some((one) => jsonEqual(one, value))) {
    findings.notSupported(path, value, props.enum);
  }
}

function checkText(findings: Findings, props: SchemaProps, path: string, text: string): void {
  const { minLength, maxLength, pattern, format } = props;
  if (maxLength !== undefined && lettersOf(text) > maxLength) findings.tooLong(path, maxLength);
  if (minLength !== undefined && lettersOf(text) < minLength) {
    findings.invalid(path, text, `should be at least ${minLength} chars long`);
  }
  if (pattern && !matchesPattern(pattern, text)) {
    findings.invalid(path, text, `should match '${pattern}'`);
  }
  if (format && props.type === "string" && !hasFormat(text, format)) {
    findings.wrongType(path, format, text);
  }
}

function lettersOf(text: string): number {
  let letters = 0;
  for (const _letter of text) letters += 1;
  return letters;
}

/** A pattern of an older definition that is none here checks nothing: the definition says so. */
function matchesPattern(pattern: string, text: string): boolean {
  try {
    return compilePattern(pattern).test(text);
  } catch {
    return true;
  }
}

function checkNumber(findings: Findings, props: SchemaProps, path: string, number: number): void {
  const { minimum, maximum, multipleOf } = props;
  if (multipleOf !== undefined && !isMultiple(number, multipleOf)) {
    findings.invalid(path, number, `should be a multiple of ${multipleOf}`);
  }
  if (maximum !== undefined) {
    const strict = props.exclusiveMaximum === true;
    const than = strict ? "less than" : "less than or equal to";
    if (number > maximum || (strict && number === maximum)) {
      findings.invalid(path, number, `should be ${than} ${maximum}`);
    }
  }
  if (minimum !== undefined) {
    const strict = props.exclusiveMinimum === true;
    const than = strict ? "greater than" : "greater than or equal to";
    if (number < minimum || (strict && number === minimum)) {
      findings.invalid(path, number, `should be ${than} ${minimum}`);
    }
  }
  checkRange(findings, props, path, number);
}

function isMultiple(number: number, of: number): boolean {
  const times = number / of;
  return Math.abs(times - Math.round(times)) < 1e-9;
}

/** `int32` is the one format of numbers that JSON can overflow exactly. */
function checkRange(findings: Findings, props: SchemaProps, path: string, number: number): void {
  if (props.format !== "int32" || !Number.isInteger(number)) return;
  if (number >= -(2 ** 31) && number < 2 ** 31) return;
  findings.invalid(path, number, "must be of type integer with format int32");
}

function checkItems(findings: Findings, props: SchemaProps, { value, old, path }: Placed): void {
  const items = value as readonly Json[];
  const { minItems, maxItems } = props;
  if (maxItems !== undefined && items.length > maxItems) {
    findings.tooMany(path, items.length, maxItems);
  }
  if (minItems !== undefined && items.length < minItems) {
    findings.invalid(path, items.length, `should have at least ${minItems} items`);
  }
  const schema = itemsOfProps(props);
  if (schema === undefined) return;
  for (const [index, item] of items.entries()) {
    const before = oldItem(props, item, old);
    checkValue(findings, schema, { value: item, old: before, path: `${path}[${index}]` });
  }
}

/** Only the items of a list map can be told apart from one version to the next. */
function oldItem(props: SchemaProps, item: Json, old: Json | undefined): Json | undefined {
  if (props["x-kubernetes-list-type"] !== "map" || !Array.isArray(old) || !isObject(item)) {
    return undefined;
  }
  const keys = props["x-kubernetes-list-map-keys"] ?? [];
  return old.find(
    (other) => isObject(other) && keys.every((key) => jsonEqual(other[key], item[key])),
  );
}

function checkFields(findings: Findings, props: SchemaProps, { value, old, path }: Placed): void {
  const object = value as JsonObject;
  const count = Object.keys(object).length;
  const { minProperties, maxProperties } = props;
  if (maxProperties !== undefined && count > maxProperties) {
    findings.tooMany(path, count, maxProperties);
  }
  if (minProperties !== undefined && count < minProperties) {
    findings.invalid(path, count, `should have at least ${minProperties} properties`);
  }
  for (const field of props.required ?? []) {
    if (!Object.hasOwn(object, field)) findings.required(joined(path, field));
  }
  for (const field of Object.keys(object)) {
    const schema = propertyOf(props, field) ?? valuesOfProps(props);
    if (schema === undefined) continue;
    const before = isObject(old) ? fieldOf(old, field) : undefined;
    const inner = fieldOf(object, field) ?? null;
    checkValue(findings, schema, { value: inner, old: before, path: joined(path, field) });
  }
}

export function joined(path: string, field: string): string {
  return path === "" ? field : `${path}.${field}`;
}

function checkJunctors(findings: Findings, props: SchemaProps, placed: Placed): void {
  const { anyOf = [], oneOf = [], allOf = [], not } = props;
  const outcomes = (schemas: readonly SchemaProps[]): readonly Findings[] =>
    schemas.map((schema) => {
      const inner = new Findings();
      checkValue(inner, schema, placed);
      return inner;
    });
  if (anyOf.length > 0) {
    const inner = outcomes(anyOf);
    if (!inner.some(isFine)) {
      findings.junctor(placed.path, "must validate at least one schema (anyOf)");
      findings.take(fewest(inner));
    }
  }
  if (oneOf.length > 0) checkOneOf(findings, outcomes(oneOf), placed.path);
  if (allOf.length > 0) {
    const inner = outcomes(allOf);
    for (const one of inner) findings.take(one);
    if (!inner.every(isFine)) {
      const none = inner.some(isFine) ? "" : ". None validated";
      findings.junctor(placed.path, `must validate all the schemas (allOf)${none}`);
    }
  }
  if (not !== undefined && outcomes([not]).every(isFine)) {
    findings.junctor(placed.path, "must not validate the schema (not)");
  }
}

function checkOneOf(findings: Findings, inner: readonly Findings[], path: string): void {
  const valid = inner.filter(isFine).length;
  if (valid === 1) return;
  const found = valid === 0 ? "Found none valid" : `Found ${valid} valid alternatives`;
  findings.junctor(path, `must validate one and only one schema (oneOf). ${found}`);
  if (valid === 0) findings.take(fewest(inner));
}

function isFine(findings: Findings): boolean {
  return findings.causes.length === 0;
}

/** The alternative that comes nearest tells most about what was meant. */
function fewest(all: readonly Findings[]): Findings {
  return all.reduce((best, one) => (one.causes.length < best.causes.length ? one : best));
}
