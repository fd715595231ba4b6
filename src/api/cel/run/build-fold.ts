import { isBinding } from "#api/cel/cost/estimate.ts";
import type { Builder } from "#api/cel/run/build.ts";
import type { Frame, Step } from "#api/cel/run/frame.ts";
import { textOf } from "#api/cel/run/select.ts";
import { work } from "#api/cel/work.ts";
import type { Expression, FoldExpression } from "#api/cel/syntax/expression.ts";
import {
  EvaluationError,
  isFields,
  isList,
  LazyFields,
  MapValue,
  OptionalValue,
  type Value,
} from "#api/cel/value.ts";

/** Loops: what all macros over lists and maps are. */
export function buildFold(builder: Builder, fold: FoldExpression): Step {
  if (isBinding(fold)) return buildBinding(builder, fold);
  const range = builder.build(fold.range).run;
  const initial = builder.build(fold.initial).run;
  const accumulator = builder.declare(fold.accumulator);
  const first = builder.declare(fold.variable);
  const second =
    fold.secondVariable === undefined ? undefined : builder.declare(fold.secondVariable);
  const body = bodyOf(builder, fold, accumulator);
  builder.forget(fold.variable);
  if (fold.secondVariable !== undefined) builder.forget(fold.secondVariable);
  const result = body.isResult ? undefined : builder.build(fold.result).run;
  builder.forget(fold.accumulator);
  return (frame) => {
    const entries = range(frame);
    frame.slots[accumulator] = fresh(initial(frame));
    body.run(frame, (act) => forEach(entries, { frame, first, second }, act));
    if (result !== undefined) return result(frame);
    frame.spend(1);
    return frame.slots[accumulator] ?? null;
  };
}

/** Puts each entry into the loop's variables and acts, until an act answers false. */
type Each = (act: () => boolean) => void;

interface Body {
  /** The accumulator is the result as it is. */
  readonly isResult: boolean;
  run(frame: Frame, each: Each): void;
}

function bodyOf(builder: Builder, fold: FoldExpression, accumulator: number): Body {
  const { step, condition } = fold;
  const isQuantifier = condition.kind === "call" && condition.name === "@not_strictly_false";
  const predicate = step.kind === "call" ? step.args[1] : undefined;
  if (isQuantifier && predicate !== undefined && step.kind === "call") {
    const decisive = step.name === "_||_";
    const test = builder.build(predicate).run;
    return { isResult: true, run: quantify({ decisive, test, accumulator }) };
  }
  const collected = collectedBy(step);
  if (collected !== undefined) {
    const { isMap, filter, parts } = collected;
    const test = filter && builder.build(filter).run;
    const runs = parts.map((part) => builder.build(part).run);
    const take = isMap ? insertInto(accumulator, runs) : appendTo(accumulator, runs);
    return { isResult: true, run: collect(test, take) };
  }
  const next = builder.build(step).run;
  return {
    isResult: false,
    run: (frame, each) =>
      each(() => {
        frame.slots[accumulator] = next(frame);
        return true;
      }),
  };
}

interface Quantifier {
  /** The answer that ends the loop: true for `exists`, false for `all`. */
  readonly decisive: boolean;
  readonly test: Step;
  readonly accumulator: number;
}

/** An entry that decides makes up for others that went wrong. */
function quantify({ decisive, test, accumulator }: Quantifier) {
  const conditionCost = decisive ? 3 : 2;
  return (frame: Frame, each: Each): void => {
    let problem: EvaluationError | undefined;
    let isDecided = false;
    each(() => {
      frame.spend(conditionCost);
      if (isDecided) return false;
      frame.spend(1);
      const outcome = attempt(test, frame);
      if (outcome === decisive) isDecided = true;
      else if (outcome instanceof EvaluationError) problem ??= outcome;
      return true;
    });
    const failure = problem as EvaluationError | undefined;
    if (!isDecided && failure !== undefined) throw failure;
    frame.slots[accumulator] = isDecided === decisive;
  };
}

/** A condition's outcome: what went wrong is a value too. */
export function attempt(test: Step, frame: Frame): boolean | EvaluationError {
  try {
    const outcome = test(frame);
    return typeof outcome === "boolean" ? outcome : new EvaluationError("no such overload");
  } catch (error) {
    if (error instanceof EvaluationError) return error;
    throw error;
  }
}

function collect(test: Step | undefined, take: (frame: Frame) => void) {
  return (frame: Frame, each: Each): void =>
    each(() => {
      const outcome = test === undefined ? true : test(frame);
      if (typeof outcome !== "boolean") throw new EvaluationError("no such overload");
      if (outcome) take(frame);
      return true;
    });
}

/** What each addition to a list costs beside its value: the accumulator, a list of one, adding it. */
const appendCost = 12;

function appendTo(accumulator: number, runs: readonly Step[]) {
  return (frame: Frame): void => {
    const list = frame.slots[accumulator] as Value[];
    for (const run of runs) list.push(run(frame));
    frame.spend(appendCost);
  };
}

function insertInto(accumulator: number, runs: readonly Step[]) {
  return (frame: Frame): void => {
    const map = frame.slots[accumulator] as MapValue;
    const [first = null, second] = runs.map((run) => run(frame));
    frame.spend(2);
    if (second !== undefined) return insert(map, first, second);
    for (const [key, value] of pairsOf(first)) insert(map, key, value);
  };
}

function insert(map: MapValue, key: Value, value: Value): void {
  if (!map.add(key, value))
    throw new EvaluationError(`insert failed: key ${textOf(key)} already exists`);
}

interface Collected {
  readonly isMap: boolean;
  readonly filter: Expression | undefined;
  readonly parts: readonly Expression[];
}

/** Sees that a step adds to what is collected, perhaps on a condition, so that it can be done in place. */
function collectedBy(step: Expression): Collected | undefined {
  if (step.kind !== "call") return undefined;
  const [first, second] = step.args;
  if (step.name === "_?_:_" && second !== undefined) {
    const inner = collectedBy(second);
    return inner && inner.filter === undefined ? { ...inner, filter: first } : undefined;
  }
  if (first?.kind !== "identifier" || first.name !== "@result") return undefined;
  if (step.name === "cel.@mapInsert") {
    return { isMap: true, filter: undefined, parts: step.args.slice(1) };
  }
  if (step.name !== "_+_" || second?.kind !== "list") return undefined;
  return { isMap: false, filter: undefined, parts: second.items.map((item) => item.value) };
}

/** Accumulators are changed in place: each loop begins with its own. */
function fresh(initial: Value): Value {
  if (isList(initial)) return [...initial];
  return initial instanceof MapValue && initial.size === 0 ? new MapValue() : initial;
}

function buildBinding(builder: Builder, fold: FoldExpression): Step {
  const value = builder.build(fold.initial).run;
  const slot = builder.declare(fold.accumulator);
  const result = builder.build(fold.result).run;
  builder.forget(fold.accumulator);
  if (fold.accumulator !== "@optional") {
    return (frame) => {
      frame.slots[slot] = value(frame);
      return result(frame);
    };
  }
  return (frame) => {
    const before = frame.cost;
    const held = value(frame);
    frame.slots[slot] = held;
    // Upstream works out what is there a second time.
    const isThere = held instanceof OptionalValue && held.content !== undefined;
    if (isThere) frame.spend(frame.cost - before);
    return result(frame);
  };
}

interface Iteration {
  readonly frame: Frame;
  readonly first: number;
  readonly second: number | undefined;
}

function forEach(range: Value, { frame, first, second }: Iteration, act: () => boolean): void {
  const { slots } = frame;
  if (isList(range)) {
    for (let index = 0; index < range.length; index += 1) {
      const item = range[index] ?? null;
      slots[first] = second === undefined ? item : index;
      if (second !== undefined) slots[second] = item;
      if (!act()) return;
    }
    return;
  }
  for (const [key, value] of pairsOf(range)) {
    slots[first] = key;
    if (second !== undefined) slots[second] = value;
    if (!act()) return;
  }
}

function* pairsOf(value: Value): Generator<readonly [Value, Value]> {
  if (value instanceof OptionalValue || value instanceof LazyFields) {
    throw new EvaluationError("no such overload");
  }
  if (value instanceof MapValue) {
    for (const key of value.keys()) yield [key, value.get(key) ?? null];
  } else if (isFields(value)) {
    const keys = Object.keys(value);
    work(keys.length);
    for (const key of keys) yield [key, value[key] ?? null];
  } else throw new EvaluationError("no such overload");
}
