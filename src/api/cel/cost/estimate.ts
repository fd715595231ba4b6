import type { Checked } from "#api/cel/check/checked.ts";
import {
  type CallEstimate,
  type EstimatedCall,
  unionOfEstimates,
} from "#api/cel/cost/call-cost.ts";
import {
  add,
  exactly,
  listCost,
  mapCost,
  multiply,
  type Range,
  structCost,
  union,
  unknownSize,
} from "#api/cel/cost/range.ts";
import { SizeTable } from "#api/cel/cost/size-table.ts";
import type { Overload } from "#api/cel/function.ts";
import type {
  CallExpression,
  Expression,
  FoldExpression,
  ListExpression,
  MapExpression,
  SelectExpression,
} from "#api/cel/syntax/expression.ts";
import { itemTypeOf, type Type } from "#api/cel/type.ts";

/**
 * The most and the least that an expression can cost, from the sizes that the schemas of its variables allow. In
 * upstream's units (`cel-go/checker/cost.go`): what it refuses must be refused here, and nothing else.
 */
export function estimateCost(checked: Checked, variables: ReadonlyMap<string, Type>): Range {
  return new Estimator(checked, variables).cost(checked.expression);
}

const none = exactly(0);
const one = exactly(1);

class Estimator {
  readonly #checked: Checked;
  readonly #sizes: SizeTable;

  constructor(checked: Checked, variables: ReadonlyMap<string, Type>) {
    this.#checked = checked;
    this.#sizes = new SizeTable(checked, variables);
  }

  cost(expression: Expression): Range {
    switch (expression.kind) {
      case "literal":
        return none;
      case "identifier":
        this.#sizes.noteIdentifier(expression);
        return expression.name === "@optional" ? none : one;
      case "select":
        return this.#select(expression);
      case "call":
        return this.#call(expression);
      case "list":
        return this.#list(expression);
      case "map":
        return this.#map(expression);
      case "struct": {
        const fields = expression.fields.map((field) => this.cost(field.value));
        return add(...fields, exactly(structCost));
      }
      case "fold":
        return isBinding(expression) ? this.#binding(expression) : this.#fold(expression);
    }
  }

  #select(expression: SelectExpression): Range {
    const reference = this.#checked.referenceOf(expression);
    if (reference !== undefined) {
      this.#sizes.noteIdentifier(expression);
      return one;
    }
    const operand = this.cost(expression.operand);
    if (expression.isTest) return operand;
    const { kind } = this.#checked.typeOf(expression.operand);
    this.#sizes.noteField(expression, expression.operand, expression.field);
    return kind === "map" || kind === "struct" ? add(operand, one) : operand;
  }

  #list(expression: ListExpression): Range {
    let item: Range | undefined;
    const costs = expression.items.map(({ value }) => {
      const cost = this.cost(value);
      const size = this.#sizes.of(value);
      item = item === undefined ? size : union(item, size);
      return cost;
    });
    this.#sizes.setEntry(expression, { isList: true, key: one, value: item ?? none });
    return add(...costs, exactly(listCost));
  }

  #map(expression: MapExpression): Range {
    let keys: Range | undefined;
    let values: Range | undefined;
    const costs = expression.entries.map(({ key, value }) => {
      const cost = add(this.cost(key), this.cost(value));
      keys = keys === undefined ? this.#sizes.of(key) : union(keys, this.#sizes.of(key));
      values = values === undefined ? this.#sizes.of(value) : union(values, this.#sizes.of(value));
      return cost;
    });
    this.#sizes.setEntry(expression, { isList: false, key: keys ?? none, value: values ?? none });
    return add(...costs, exactly(mapCost));
  }

  #fold(fold: FoldExpression): Range {
    const range = this.cost(fold.range);
    const initial = this.cost(fold.initial);
    this.#sizes.pushBinding(fold.accumulator, fold.initial);
    this.#sizes.pushIteration(fold);
    const loop = add(this.cost(fold.condition), this.cost(fold.step));
    this.#sizes.pop(fold.variable);
    if (fold.secondVariable !== undefined) this.#sizes.pop(fold.secondVariable);
    const result = this.cost(fold.result);
    this.#sizes.pop(fold.accumulator);
    const rounds = this.#sizes.of(fold.range);
    if (fold.initial.kind === "literal") this.#sizes.set(fold, this.#sizes.find(fold.initial));
    if (fold.initial.kind === "list" || fold.initial.kind === "map") {
      this.#sizes.set(fold, rounds);
      this.#sizes.setEntry(fold, this.#sizes.entryOf(fold.step));
    }
    return add(range, initial, result, multiply(rounds, loop));
  }

  #binding(fold: FoldExpression): Range {
    const range = this.cost(fold.range);
    const value = this.cost(fold.initial);
    this.#sizes.pushBinding(fold.accumulator, fold.initial);
    const result = this.cost(fold.result);
    this.#sizes.pop(fold.accumulator);
    this.#sizes.copy(fold, fold.result);
    // Upstream works out what is optional twice instead of naming it.
    return fold.accumulator === "@optional" ? add(value, value, result) : add(range, value, result);
  }

  #call(expression: CallExpression): Range {
    const reference = this.#checked.referenceOf(expression);
    if (reference?.kind !== "call") return none;
    const { args, overloads, name } = reference;
    const costs = args.map((arg) => this.cost(arg));
    if (name === "dyn" && args[0] !== undefined) {
      this.#sizes.copy(expression, args[0]);
      return add(one, ...costs);
    }
    if (name === "_?._") {
      this.#sizes.set(expression, this.#sizes.find(expression));
      return add(one, ...costs);
    }
    let best: CallEstimate | undefined;
    for (const overload of overloads) {
      const found = this.#estimate(expression, overload, { args, costs });
      best = best === undefined ? found : unionOfEstimates(best, found);
    }
    this.#sizes.set(expression, best?.size ?? this.#sizes.find(expression));
    return best?.cost ?? none;
  }

  #estimate(expression: CallExpression, overload: Overload, call: CostedCall): CallEstimate {
    const { args, costs } = call;
    const [first, second, third] = args;
    const [firstCost = none, secondCost = none, thirdCost = none] = costs;
    switch (overload.role) {
      case "junction":
        return { cost: { min: firstCost.min, max: add(firstCost, secondCost).max } };
      case "condition": {
        if (second === undefined || third === undefined) break;
        this.#sizes.setEntry(expression, this.#sizes.unionOfEntries(second, third));
        const size = union(this.#sizes.of(second), this.#sizes.of(third));
        return { cost: add(firstCost, union(secondCost, thirdCost)), size };
      }
      case "indexList":
      case "indexMap": {
        if (first === undefined) break;
        this.#sizes.noteItem(expression, first);
        const size = this.#sizes.entryOf(first)?.value;
        return { cost: add(one, ...costs), ...(size !== undefined && { size }) };
      }
      case "addList":
      case "addText":
        if (first === undefined || second === undefined) break;
        this.#sizes.setEntry(expression, this.#sizes.unionOfEntries(first, second));
        break;
      case undefined:
    }
    const { cost, size } = overload.cost?.estimate(this.#estimated(args)) ?? { cost: one };
    return { cost: add(cost, ...costs), ...(size !== undefined && { size }) };
  }

  #estimated(args: readonly Expression[]): EstimatedCall {
    return {
      count: args.length,
      size: (index) => {
        const arg = args[index];
        return arg === undefined ? unknownSize : this.#sizes.of(arg);
      },
      type: (index) => {
        const arg = args[index];
        return arg === undefined
          ? { kind: "dyn", name: "dyn", parameters: [] }
          : this.#checked.typeOf(arg);
      },
      itemSize: (index) => {
        const arg = args[index];
        const type = arg && this.#checked.typeOf(arg);
        if (arg === undefined || type === undefined || type.parameters.length === 0)
          return undefined;
        return this.#sizes.itemOf(arg, itemTypeOf(type));
      },
      literal: (index) => {
        const arg = args[index];
        return arg?.kind === "literal" ? arg.value : undefined;
      },
    };
  }
}

interface CostedCall {
  readonly args: readonly Expression[];
  readonly costs: readonly Range[];
}

/** A name for a value, written as a loop over nothing. */
export function isBinding({ range, condition, accumulator }: FoldExpression): boolean {
  return (
    range.kind === "list" &&
    range.items.length === 0 &&
    condition.kind === "literal" &&
    condition.value === false &&
    accumulator !== "@result"
  );
}
