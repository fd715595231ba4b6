import type { Checked, Reference } from "#api/cel/check/checked.ts";
import { checkAggregate } from "#api/cel/check/check-aggregate.ts";
import { checkFold } from "#api/cel/check/check-fold.ts";
import { Scope } from "#api/cel/check/scope.ts";
import { Substitutions } from "#api/cel/check/substitutions.ts";
import type { Environment } from "#api/cel/environment.ts";
import type { Overload } from "#api/cel/function.ts";
import {
  type CallExpression,
  type Expression,
  type IdentifierExpression,
  qualifiedNameOf,
  type SelectExpression,
} from "#api/cel/syntax/expression.ts";
import type { Problem } from "#api/cel/syntax/problem.ts";
import {
  boolType,
  dynType,
  errorType,
  formatType,
  isDynamic,
  isOptional,
  isSameType,
  optionalOf,
  parameterType,
  type Type,
  type TypeKind,
  typeOfType,
  valueTypeOf,
  withoutOptional,
} from "#api/cel/type.ts";
import { typeOfValue } from "#api/cel/value.ts";

/** Finds the type of every part of an expression, or what is wrong with it. */
export function checkExpression(
  expression: Expression,
  environment: Environment,
): { readonly checked: Checked } | { readonly problems: readonly Problem[] } {
  const checker = new Checker(environment);
  const type = checker.check(expression);
  if (checker.problems.length > 0) return { problems: checker.problems };
  return { checked: checker.finish(expression, type) };
}

export class Checker {
  readonly environment: Environment;
  readonly problems: Problem[] = [];
  readonly substitutions = new Substitutions();
  readonly #types = new Map<Expression, Type>();
  readonly #references = new Map<Expression, Reference>();
  readonly #variables = new Set<string>();
  scope = new Scope(undefined);
  #parameters = 0;

  constructor(environment: Environment) {
    this.environment = environment;
  }

  finish(expression: Expression, type: Type): Checked {
    const closed = new Map<Expression, Type>();
    const typeOf = (part: Expression): Type => {
      const known = closed.get(part);
      if (known !== undefined) return known;
      const found = this.substitutions.apply(this.#types.get(part) ?? dynType, "dyn");
      closed.set(part, found);
      return found;
    };
    return {
      expression,
      type: this.substitutions.apply(type, "dyn"),
      typeOf,
      referenceOf: (part) => this.#references.get(part),
      variables: this.#variables,
    };
  }

  check(expression: Expression): Type {
    const type = this.#typeOf(expression);
    this.#types.set(expression, type);
    return type;
  }

  #typeOf(expression: Expression): Type {
    switch (expression.kind) {
      case "literal":
        return typeOfValue(expression.value);
      case "identifier":
        return this.#identifier(expression);
      case "select":
        return this.#select(expression);
      case "call":
        return this.#call(expression);
      case "fold":
        return checkFold(this, expression);
      default:
        return checkAggregate(this, expression);
    }
  }

  note(at: number, message: string): Type {
    if (this.problems.length < problemsMax) this.problems.push({ at, message });
    return errorType;
  }

  mismatch(at: number, expected: Type, actual: Type): Type {
    return this.note(
      at,
      `expected type '${this.format(expected)}' but found '${this.format(actual)}'`,
    );
  }

  format(type: Type): string {
    return formatType(this.substitutions.apply(type));
  }

  undeclared(at: number, name: string): Type {
    const container = this.environment.container ?? "";
    return this.note(at, `undeclared reference to '${name}' (in container '${container}')`);
  }

  newParameter(): Type {
    this.#parameters += 1;
    return parameterType(`_var${this.#parameters - 1}`);
  }

  refer(expression: Expression, reference: Reference): void {
    this.#references.set(expression, reference);
  }

  #identifier(expression: IdentifierExpression): Type {
    return (
      this.#lookUp(expression, expression.name) ?? this.undeclared(expression.at, expression.name)
    );
  }

  /** A variable or a type of that name, which the expression is then known to mean. */
  #lookUp(expression: Expression, name: string): Type | undefined {
    const local = this.scope.find(name);
    if (local !== undefined) {
      this.refer(expression, { kind: "local", name });
      return local;
    }
    for (const candidate of this.candidates(name)) {
      const variable = this.environment.variables.get(candidate);
      if (variable !== undefined) {
        this.#variables.add(candidate);
        this.refer(expression, { kind: "variable", name: candidate });
        return variable;
      }
      const type = this.environment.typeOf(candidate);
      if (type === undefined) continue;
      this.refer(expression, { kind: "type", type });
      return typeOfType(type);
    }
    return undefined;
  }

  /** The names that a name may stand for, from the innermost container outwards. */
  candidates(name: string): readonly string[] {
    if (name.startsWith(".")) return [name.slice(1)];
    const container = this.environment.container ?? "";
    if (container === "") return [name];
    const parts = container.split(".");
    const prefixes = parts.map((_part, index) => parts.slice(0, parts.length - index).join("."));
    return [...prefixes.map((prefix) => `${prefix}.${name}`), name];
  }

  #select(expression: SelectExpression): Type {
    const name = qualifiedNameOf(expression);
    if (name !== undefined && !this.#beginsLocal(expression)) {
      const known = this.#lookUp(expression, name);
      if (known !== undefined) return known;
    }
    const found = this.field(expression, this.check(expression.operand), expression.field);
    return expression.isTest ? boolType : this.substitutions.apply(found);
  }

  #beginsLocal(expression: Expression): boolean {
    if (expression.kind === "select") return this.#beginsLocal(expression.operand);
    return expression.kind === "identifier" && this.scope.find(expression.name) !== undefined;
  }

  field(expression: Expression, operand: Type, field: string, optional = false): Type {
    const applied = this.substitutions.apply(operand);
    const target = withoutOptional(applied);
    const found = this.#fieldOf(expression, target, field);
    return optional || isOptional(applied) ? optionalOf(found) : found;
  }

  #fieldOf({ at }: Expression, target: Type, field: string): Type {
    if (target.kind === "map") return valueTypeOf(target);
    if (target.kind === "struct") {
      return target.fieldOf?.(field) ?? this.note(at, `undefined field '${field}'`);
    }
    if (target.kind === "parameter") {
      this.substitutions.assign(dynType, target);
      return dynType;
    }
    if (!isDynamic(target)) {
      this.note(at, `type '${this.format(target)}' does not support field selection`);
    }
    return dynType;
  }

  #call(expression: CallExpression): Type {
    const { name, target, args, at } = expression;
    if (name === "_?._") return this.#optionalSelect(expression);
    for (const arg of args) this.check(arg);
    if (target === undefined) {
      const known = this.#functionOf(name);
      if (known === undefined) return this.undeclared(at, name);
      return this.#resolve(expression, known, { args, isMember: false });
    }
    const prefix = qualifiedNameOf(target);
    const qualified = prefix === undefined ? undefined : this.#functionOf(`${prefix}.${name}`);
    if (qualified !== undefined) {
      return this.#resolve(expression, qualified, { args, isMember: false });
    }
    this.check(target);
    const known = this.#functionOf(name);
    if (known === undefined) return this.undeclared(at, name);
    return this.#resolve(expression, known, { args: [target, ...args], isMember: true });
  }

  #functionOf(name: string): NamedFunction | undefined {
    for (const candidate of this.candidates(name)) {
      const overloads = this.environment.functions.get(candidate);
      if (overloads !== undefined) return { name: candidate, overloads };
    }
    return undefined;
  }

  #optionalSelect(expression: CallExpression): Type {
    const [operand, field] = expression.args;
    if (operand === undefined || field?.kind !== "literal" || typeof field.value !== "string") {
      return this.note(expression.at, "unsupported optional field selection");
    }
    const found = this.field(expression, this.check(operand), field.value, true);
    this.check(field);
    const reference = { name: "_?._", overloads: [], args: expression.args };
    this.refer(expression, { kind: "call", ...reference });
    return this.substitutions.apply(found);
  }

  #resolve(expression: CallExpression, known: NamedFunction, call: ResolvedCall): Type {
    const { at } = expression;
    const types = call.args.map((arg) => this.#types.get(arg) ?? errorType);
    const outcome = this.#resolveOverloads(known.overloads, types, call.isMember);
    if (outcome !== undefined) {
      const { name } = known;
      this.refer(expression, { kind: "call", name, overloads: outcome.overloads, args: call.args });
      return outcome.type;
    }
    if (known.overloads.some((overload) => overload.role === "junction")) {
      return this.#wrongJunction(call.args, types);
    }
    const texts = types.map((type) => formatType(this.substitutions.apply(type, "dyn")));
    const target = call.isMember ? `${texts.shift() ?? ""}.` : "";
    return this.note(
      at,
      `found no matching overload for '${known.name}' applied to '${target}(${texts.join(", ")})'`,
    );
  }

  #wrongJunction(args: readonly Expression[], types: readonly Type[]): Type {
    for (const [index, type] of types.entries()) {
      if (!this.substitutions.assign(type, boolType)) {
        this.mismatch(args[index]?.at ?? 0, boolType, type);
      }
    }
    return errorType;
  }

  #resolveOverloads(
    known: readonly Overload[],
    types: readonly Type[],
    isMember: boolean,
  ): { readonly overloads: readonly Overload[]; readonly type: Type } | undefined {
    const overloads: Overload[] = [];
    let result: Type | undefined;
    for (const overload of known) {
      if (overload.isMember !== isMember || !mayTake(overload, types)) continue;
      const fresh = this.#instantiate(overload);
      if (!this.substitutions.assignAll(types, fresh.args)) continue;
      overloads.push(overload);
      const type = this.substitutions.apply(fresh.result);
      if (result === undefined) result = type;
      else if (result.kind !== "dyn" && !isSameType(type, result)) result = dynType;
    }
    return result === undefined ? undefined : { overloads, type: result };
  }

  #instantiate(overload: Overload): { readonly args: readonly Type[]; readonly result: Type } {
    if (overload.parameters.length === 0) return overload;
    const fresh = new Substitutions();
    for (const name of overload.parameters) {
      fresh.assign(this.newParameter(), parameterType(name));
    }
    return {
      args: overload.args.map((arg) => fresh.apply(arg)),
      result: fresh.apply(overload.result),
    };
  }
}

/** Leaves out at a glance what cannot be: most overloads of an operator. */
function mayTake(overload: Overload, types: readonly Type[]): boolean {
  if (overload.args.length !== types.length) return false;
  return overload.args.every((wanted, index) => {
    const given = types[index]?.kind ?? "dyn";
    return wanted.kind === given || open.has(wanted.kind) || open.has(given);
  });
}

/** Types of these kinds may stand for others. */
const open: ReadonlySet<TypeKind> = new Set(["dyn", "error", "null", "parameter"]);

const problemsMax = 100;

interface NamedFunction {
  readonly name: string;
  readonly overloads: readonly Overload[];
}

interface ResolvedCall {
  /** With the target first where there is one. */
  readonly args: readonly Expression[];
  readonly isMember: boolean;
}
