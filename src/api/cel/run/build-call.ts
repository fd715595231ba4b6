import type { Overload } from "#api/cel/function.ts";
import { celEquals } from "#api/cel/equality.ts";
import { attempt } from "#api/cel/run/build-fold.ts";
import type { Builder } from "#api/cel/run/build.ts";
import { type Built, constant, isAttribute } from "#api/cel/run/built.ts";
import type { Frame, Step } from "#api/cel/run/frame.ts";
import { guardOf, takes } from "#api/cel/run/guards.ts";
import { equalsByType, joinKeyed } from "#api/cel/run/keyed-lists.ts";
import { type Reader, readerOf } from "#api/cel/run/readers.ts";
import { itemAt, optionalField } from "#api/cel/run/select.ts";
import type { CallExpression, Expression } from "#api/cel/syntax/expression.ts";
import { type Type, withoutOptional } from "#api/cel/type.ts";
import { EvaluationError, isList, noValue, OptionalValue, type Value } from "#api/cel/value.ts";

/** Calls of functions and operators; those that need not work out all their arguments on their own. */
export function buildCall(builder: Builder, expression: CallExpression): Built {
  const reference = builder.checked.referenceOf(expression);
  if (reference?.kind !== "call") throw new EvaluationError(`unbound function ${expression.name}`);
  const { name, args, overloads } = reference;
  switch (name) {
    case "_&&_":
    case "_||_":
      return { run: junction(builder, args, name === "_||_") };
    case "_?_:_":
      return { run: condition(builder, args) };
    case "_?._":
      return { run: optionalSelect(builder, args) };
    case "_[_]":
      return { run: index(builder, expression, args) };
    case "or":
    case "orValue":
      return { run: alternative(builder, args, name === "orValue") };
    default:
      return ordinary(builder, args, { name, overloads });
  }
}

function ordinary(
  builder: Builder,
  args: readonly Expression[],
  called: { readonly name: string; readonly overloads: readonly Overload[] },
): Built {
  const built = args.map((arg) => builder.build(arg));
  const [first, second] = built;
  if (called.name === "@in" && first !== undefined && second?.constant !== undefined) {
    const members = membersOf(second.constant);
    if (members !== undefined) return { run: (frame) => isMember(members, first.run(frame)) };
  }
  const run = call(
    built.map((one) => one.run),
    { ...called, keyed: keyedType(builder, args[0]) },
  );
  if (!conversions.has(called.name) || built.length !== 1 || first?.constant === undefined) {
    return { run };
  }
  return converted(called.overloads, first.constant) ?? { run };
}

/** Conversions of literals are done once and cost nothing, as upstream does them. */
const conversions: ReadonlySet<string> = new Set(
  "bool bytes double duration int string timestamp type uint dyn".split(" "),
);

function converted(overloads: readonly Overload[], value: Value): Built | undefined {
  const overload = overloads.find((one) => takes(one.args, [value]));
  try {
    return overload && constant(overload.run(value));
  } catch (error) {
    if (error instanceof EvaluationError) return undefined;
    throw error;
  }
}

/** A list of texts and numbers is looked into without walking along it. */
function membersOf(list: Value): ReadonlySet<Value> | undefined {
  if (!isList(list)) return undefined;
  const isPlain = list.every((item) => typeof item === "string" || typeof item === "boolean");
  return isPlain ? new Set(list) : undefined;
}

function isMember(members: ReadonlySet<Value>, value: Value): boolean {
  return members.has(value);
}

interface Called {
  readonly name: string;
  readonly overloads: readonly Overload[];
  /** The type of the first argument where its lists have keys. */
  readonly keyed: Type | undefined;
}

/** Sums of lists with keys have them too. */
function keyedType(builder: Builder, expression: Expression | undefined): Type | undefined {
  if (expression === undefined) return undefined;
  if (expression.kind === "call" && expression.name === "_+_") {
    return keyedType(builder, expression.args[0]);
  }
  const type = builder.checked.typeOf(expression);
  return type.holdsKeyedLists ? type : undefined;
}

function call(args: readonly Step[], { name, overloads, keyed }: Called): Step {
  if (name === "_==_" || name === "_!=_") {
    return equality(args, { isNegated: name === "_!=_", overload: overloads[0], keyed });
  }
  if (name === "_+_" && keyed?.keyedBy !== undefined) return keyedSum(args, keyed.keyedBy);
  const [only, ...others] = overloads;
  if (only !== undefined && others.length === 0 && args.length <= 2) return simpleCall(args, only);
  return (frame) => {
    const values: Value[] = [];
    for (const arg of args) values.push(arg(frame));
    for (const overload of overloads) {
      if (!takes(overload.args, values)) continue;
      const result = overload.run(...values);
      frame.spend(overload.cost?.actual(values, result) ?? 1);
      return result;
    }
    throw new EvaluationError("no such overload");
  };
}

/** Most calls: one form, one or two arguments. */
function simpleCall(args: readonly Step[], { run, args: types, cost }: Overload): Step {
  const [first, second] = args;
  const [isFirst = isAnything, isSecond = isAnything] = types.map(guardOf);
  if (first === undefined) {
    return (frame) => {
      const result = run();
      frame.spend(cost?.actual([], result) ?? 1);
      return result;
    };
  }
  if (second === undefined) {
    return (frame) => {
      const value = first(frame);
      if (!isFirst(value)) throw new EvaluationError("no such overload");
      const result = run(value);
      frame.spend(cost === undefined ? 1 : cost.actual([value], result));
      return result;
    };
  }
  return (frame) => {
    const a = first(frame);
    const b = second(frame);
    if (!isFirst(a) || !isSecond(b)) throw new EvaluationError("no such overload");
    const result = run(a, b);
    frame.spend(cost === undefined ? 1 : cost.actual([a, b], result));
    return result;
  };
}

function isAnything(): boolean {
  return true;
}

function keyedSum(args: readonly Step[], keyedBy: NonNullable<Type["keyedBy"]>): Step {
  const [left, right] = args;
  if (left === undefined || right === undefined) throw new EvaluationError("no such overload");
  return (frame) => {
    const a = left(frame);
    const b = right(frame);
    if (!isList(a) || !isList(b)) throw new EvaluationError("no such overload");
    frame.spend(1);
    return joinKeyed(keyedBy, a, b);
  };
}

interface Equality {
  readonly isNegated: boolean;
  readonly overload: Overload | undefined;
  readonly keyed: Type | undefined;
}

function equality(args: readonly Step[], { isNegated, overload, keyed }: Equality): Step {
  const [left, right] = args;
  if (left === undefined || right === undefined) throw new EvaluationError("no such overload");
  return (frame) => {
    const a = leftOf(left, right, frame);
    const b = right(frame);
    const isEqual = keyed === undefined ? celEquals(a, b) : equalsByType(keyed, a, b);
    const result = isEqual !== isNegated;
    frame.spend(overload?.cost?.actual([a, b], result) ?? 1);
    return result;
  };
}

/** Upstream works out and counts the other side even where the first goes wrong. */
function leftOf(left: Step, right: Step, frame: Frame): Value {
  try {
    return left(frame);
  } catch (error) {
    if (!(error instanceof EvaluationError)) throw error;
    attempt(right, frame);
    frame.spend(1);
    throw error;
  }
}

/** The side that decides makes up for another that went wrong, whichever stands first. */
function junction(builder: Builder, args: readonly Expression[], decisive: boolean): Step {
  const [left, right] = args.map((arg) => builder.build(arg).run);
  if (left === undefined || right === undefined) throw new EvaluationError("no such overload");
  return (frame) => {
    const first = attempt(left, frame);
    if (first === decisive) return decisive;
    const second = attempt(right, frame);
    if (second === decisive) return decisive;
    if (first instanceof EvaluationError) throw first;
    if (second instanceof EvaluationError) throw second;
    return !decisive;
  };
}

function condition(builder: Builder, args: readonly Expression[]): Step {
  const [test, yes, no] = args.map((arg) => unobserved(arg, builder.build(arg).run));
  if (test === undefined || yes === undefined || no === undefined) {
    throw new EvaluationError("no such overload");
  }
  return (frame) => {
    const outcome = test(frame);
    if (typeof outcome !== "boolean") throw new EvaluationError("no such overload");
    return outcome ? yes(frame) : no(frame);
  };
}

/** What begins with a variable costs one less as a part of a condition or as an index, as upstream counts. */
function unobserved(expression: Expression, run: Step): Step {
  if (!isAttribute(expression)) return run;
  return (frame) => {
    frame.spend(-1);
    return run(frame);
  };
}

function optionalSelect(builder: Builder, [operand, field]: readonly Expression[]): Step {
  if (operand === undefined || field?.kind !== "literal" || typeof field.value !== "string") {
    throw new EvaluationError("no such overload");
  }
  const target = builder.build(operand).run;
  const type = withoutOptional(builder.checked.typeOf(operand));
  const name = type.dataField?.(field.value) ?? field.value;
  const reader = optionalReader(type.fieldOf?.(field.value));
  return (frame) => {
    const found = optionalField(target(frame), name);
    if (found === noValue) return found;
    frame.spend(1);
    return reader === undefined ? found : reader(found);
  };
}

function optionalReader(type: Parameters<typeof readerOf>[0] | undefined): Reader | undefined {
  const inner = type && readerOf(type);
  if (inner === undefined) return undefined;
  return (value) => {
    const content = value instanceof OptionalValue ? value.content : undefined;
    return content === undefined ? value : new OptionalValue(inner(content));
  };
}

function index(builder: Builder, expression: CallExpression, args: readonly Expression[]): Step {
  const [operand, at] = args;
  if (operand === undefined || at === undefined) throw new EvaluationError("no such overload");
  const target = builder.build(operand).run;
  const place = unobserved(at, builder.build(at).run);
  const cost = isAttribute(expression) ? 1 : 2;
  return (frame: Frame) => {
    const list = target(frame);
    const key = place(frame);
    frame.spend(cost);
    return itemAt(list, key);
  };
}

/** `a.or(b)` and `a.orValue(b)`: the second is worked out where the first is not there. */
function alternative(builder: Builder, args: readonly Expression[], unwraps: boolean): Step {
  const [first, second] = args.map((arg) => builder.build(arg).run);
  if (first === undefined || second === undefined) throw new EvaluationError("no such overload");
  return (frame) => {
    const found = first(frame);
    if (!(found instanceof OptionalValue)) throw new EvaluationError("no such overload");
    if (found.content === undefined) return second(frame);
    return unwraps ? found.content : found;
  };
}
