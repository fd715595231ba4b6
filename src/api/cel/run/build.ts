import type { Checked } from "#api/cel/check/checked.ts";
import { listCost, mapCost, structCost } from "#api/cel/cost/range.ts";
import { buildCall } from "#api/cel/run/build-call.ts";
import { buildFold } from "#api/cel/run/build-fold.ts";
import { type Built, constant, isAttribute } from "#api/cel/run/built.ts";
import { Frame, type Step } from "#api/cel/run/frame.ts";
import { type Reader, readerOf } from "#api/cel/run/readers.ts";
import { hasField, hasNonNull, selectField, selectNonNull } from "#api/cel/run/select.ts";
import type {
  Expression,
  IdentifierExpression,
  ListExpression,
  MapExpression,
  SelectExpression,
  StructExpression,
} from "#api/cel/syntax/expression.ts";
import { dynType, withoutOptional } from "#api/cel/type.ts";
import {
  EvaluationError,
  MapValue,
  OptionalValue,
  StructValue,
  TypeValue,
  type Value,
} from "#api/cel/value.ts";

/** Makes of a checked expression a function that works it out and counts what that costs. */
export function buildProgram(checked: Checked): Step {
  return new Builder(checked).build(checked.expression).run;
}

export class Builder {
  readonly checked: Checked;
  /** The slots of the variables that macros made, the innermost last. */
  readonly #locals = new Map<string, number[]>();
  #slots = 0;

  constructor(checked: Checked) {
    this.checked = checked;
  }

  build(expression: Expression): Built {
    switch (expression.kind) {
      case "literal":
        return constant(expression.value);
      case "identifier":
        return this.#name(expression) ?? failing(`no such attribute: ${expression.name}`);
      case "select":
        return this.#name(expression) ?? { run: this.#select(expression) };
      case "call":
        return buildCall(this, expression);
      case "list":
        return this.#list(expression);
      case "map":
        return this.#map(expression);
      case "struct":
        return { run: this.#struct(expression) };
      case "fold":
        return { run: buildFold(this, expression) };
    }
  }

  declare(name: string): number {
    const slot = this.#slots;
    this.#slots += 1;
    const known = this.#locals.get(name) ?? [];
    known.push(slot);
    this.#locals.set(name, known);
    return slot;
  }

  forget(name: string): void {
    this.#locals.get(name)?.pop();
  }

  slotOf(expression: Expression): number | undefined {
    return expression.kind === "identifier" ? this.#locals.get(expression.name)?.at(-1) : undefined;
  }

  #name(expression: IdentifierExpression | SelectExpression): Built | undefined {
    const reference = this.checked.referenceOf(expression);
    switch (reference?.kind) {
      case "local":
        return this.#local(reference.name);
      case "variable":
        return { run: variable(reference.name, readerOf(this.checked.typeOf(expression))) };
      case "type":
        return constant(new TypeValue(reference.type));
      default:
        return undefined;
    }
  }

  #local(name: string): Built {
    const slot = this.#locals.get(name)?.at(-1) ?? 0;
    if (name === "@optional") return { run: (frame) => frame.slots[slot] ?? null };
    return {
      run: (frame) => {
        frame.spend(1);
        return frame.slots[slot] ?? null;
      },
    };
  }

  #select(expression: SelectExpression): Step {
    const operand = this.build(expression.operand).run;
    const type = withoutOptional(this.checked.typeOf(expression.operand));
    const field = type.dataField?.(expression.field) ?? expression.field;
    if (expression.isTest) {
      const has = type.kind === "struct" ? hasNonNull : hasField;
      return (frame) => has(operand(frame), field);
    }
    const extra = isAttribute(expression.operand) ? 1 : 2;
    const reader = readerOf(this.checked.typeOf(expression));
    const select = type.kind === "struct" ? selectNonNull : selectField;
    return (frame) => {
      const target = operand(frame);
      frame.spend(extra);
      const found = select(target, field);
      return reader === undefined ? found : reader(found);
    };
  }

  #list({ items }: ListExpression): Built {
    const built = items.map(({ value, isOptional }) => ({ ...this.build(value), isOptional }));
    if (built.every((item) => item.constant !== undefined && !item.isOptional)) {
      return constant(built.map((item) => item.constant ?? null));
    }
    return {
      run: (frame) => {
        const list: Value[] = [];
        for (const { run, isOptional } of built) {
          const value = isOptional ? contentOf(run(frame)) : run(frame);
          if (value !== undefined) list.push(value);
        }
        frame.spend(listCost);
        return list;
      },
    };
  }

  #map({ entries }: MapExpression): Built {
    const built = entries.map(({ key, value, isOptional }) => {
      return { key: this.build(key), value: this.build(value), isOptional };
    });
    const isFixed = built.every(({ key, value, isOptional }) => {
      return key.constant !== undefined && value.constant !== undefined && !isOptional;
    });
    const run: Step = (frame) => {
      const map = new MapValue();
      for (const { key, value, isOptional } of built) {
        const name = key.run(frame);
        const given = isOptional ? contentOf(value.run(frame)) : value.run(frame);
        if (given === undefined) continue;
        if (!map.add(name, given))
          throw new EvaluationError("Failed with repeated key or unsupported key type");
      }
      if (!isFixed) frame.spend(mapCost);
      return map;
    };
    return isFixed ? fixed(run) : { run };
  }

  #struct(expression: StructExpression): Step {
    const reference = this.checked.referenceOf(expression);
    const type = reference?.kind === "type" ? reference.type : dynType;
    const fields = expression.fields.map(({ name, value, isOptional }) => {
      return { name: type.dataField?.(name) ?? name, run: this.build(value).run, isOptional };
    });
    return (frame) => {
      const made = new Map<string, Value>();
      for (const { name, run, isOptional } of fields) {
        const value = isOptional ? contentOf(run(frame)) : run(frame);
        if (value !== undefined) made.set(name, value);
      }
      frame.spend(structCost);
      return new StructValue(type, made);
    };
  }
}

/** What is the same each time is made once, unless that goes wrong. */
function fixed(run: Step): Built {
  const frame = new Frame({}, Infinity);
  try {
    return constant(run(frame));
  } catch (error) {
    if (error instanceof EvaluationError) return { run };
    throw error;
  }
}

function failing(message: string): Built {
  return {
    run: () => {
      throw new EvaluationError(message);
    },
  };
}

function variable(name: string, reader: Reader | undefined): Step {
  return (frame) => {
    frame.spend(1);
    const value = frame.variables[name];
    if (value === undefined) throw new EvaluationError(`no such attribute(s): ${name}`);
    return reader === undefined ? value : reader(value);
  };
}

function contentOf(value: Value): Value | undefined {
  return value instanceof OptionalValue ? value.content : value;
}
