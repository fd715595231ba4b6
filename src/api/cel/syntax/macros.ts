import {
  accumulatorName,
  type Expression,
  type FoldExpression,
} from "#api/cel/syntax/expression.ts";
import { SyntaxProblem } from "#api/cel/syntax/tokens.ts";

/** A call as the source has it. */
export interface MacroCall {
  readonly at: number;
  readonly target: Expression | undefined;
  readonly args: readonly Expression[];
}

/** Answers what the call stands for; undefined where it is an ordinary call. */
export type Macro = (call: MacroCall) => Expression | undefined;

export class Macros {
  readonly #byKey: ReadonlyMap<string, Macro>;

  /** Keys are the name, a slash and the number of arguments: `.all/2` for a macro with a target, `has/1` for one without. */
  constructor(byKey: Readonly<Record<string, Macro>>) {
    this.#byKey = new Map(Object.entries(byKey));
  }

  find(name: string, args: number, hasTarget: boolean): Macro | undefined {
    return this.#byKey.get(`${hasTarget ? "." : ""}${name}/${args}`);
  }
}

const everywhere: Readonly<Record<string, Macro>> = {
  "has/1": has,
  ".all/2": (call) => quantifier(call, 1, all),
  ".exists/2": (call) => quantifier(call, 1, exists),
  ".exists_one/2": (call) => quantifier(call, 1, existsOne),
  ".existsOne/2": (call) => quantifier(call, 1, existsOne),
  ".map/2": (call) => transformList(call, 1),
  ".map/3": (call) => transformList(call, 1),
  ".filter/2": filter,
  ".all/3": (call) => quantifier(call, 2, all),
  ".exists/3": (call) => quantifier(call, 2, exists),
  ".exists_one/3": (call) => quantifier(call, 2, existsOne),
  ".existsOne/3": (call) => quantifier(call, 2, existsOne),
  ".transformList/3": (call) => transformList(call, 2),
  ".transformList/4": (call) => transformList(call, 2),
  ".transformMap/3": (call) => transformMap(call, true),
  ".transformMap/4": (call) => transformMap(call, true),
  ".transformMapEntry/3": (call) => transformMap(call, false),
  ".transformMapEntry/4": (call) => transformMap(call, false),
  ".optMap/2": (call) => optional(call, "optMap"),
  ".optFlatMap/2": (call) => optional(call, "optFlatMap"),
  ".sortBy/2": sortBy,
};

/** All macros that expressions of Kubernetes may use. */
export const kubernetesMacros = new Macros(everywhere);

/** With `cel.bind(name, value, result)`, which upstream has in selectors of devices only. */
export const bindingMacros = new Macros({ ...everywhere, ".bind/3": celBind });

function has({ at, args: [arg] }: MacroCall): Expression {
  if (arg?.kind !== "select" || arg.isTest) {
    throw new SyntaxProblem(at, "invalid argument to has() macro");
  }
  return { ...arg, at, isTest: true };
}

interface Loop {
  readonly at: number;
  readonly range: Expression;
  readonly variable: string;
  readonly secondVariable: string | undefined;
}

/** Takes the variables off the arguments. */
function loopOf({ at, target, args }: MacroCall, variables: 1 | 2): Loop {
  if (target === undefined) throw new SyntaxProblem(at, "a macro needs a target");
  const variable = nameOf(args[0], at);
  if (variables === 1) return { at, range: target, variable, secondVariable: undefined };
  const secondVariable = nameOf(args[1], at);
  if (variable === secondVariable) {
    throw new SyntaxProblem(args[1]?.at ?? at, `duplicate variable name: ${variable}`);
  }
  return { at, range: target, variable, secondVariable };
}

function nameOf(argument: Expression | undefined, at: number): string {
  if (argument?.kind !== "identifier" || argument.name.startsWith(".")) {
    throw new SyntaxProblem(argument?.at ?? at, "argument must be a simple name");
  }
  if (argument.name === "__result__") {
    throw new SyntaxProblem(argument.at, "iteration variable overwrites accumulator variable");
  }
  return argument.name;
}

type Steps = Pick<FoldExpression, "initial" | "condition" | "step" | "result">;

function fold(loop: Loop, steps: Steps): FoldExpression {
  return { kind: "fold", ...loop, accumulator: accumulatorName, ...steps };
}

function quantifier(
  macro: MacroCall,
  variables: 1 | 2,
  steps: (at: number, predicate: Expression) => Steps,
): Expression {
  const loop = loopOf(macro, variables);
  return fold(loop, steps(macro.at, argument(macro, variables)));
}

function argument({ args, at }: MacroCall, index: number): Expression {
  const found = args[index];
  if (found === undefined) throw new SyntaxProblem(at, "an argument is missing");
  return found;
}

function all(at: number, predicate: Expression): Steps {
  const accumulator = identifier(at, accumulatorName);
  return {
    initial: literal(at, true),
    condition: call(at, "@not_strictly_false", [accumulator]),
    step: call(at, "_&&_", [accumulator, predicate]),
    result: accumulator,
  };
}

function exists(at: number, predicate: Expression): Steps {
  const accumulator = identifier(at, accumulatorName);
  return {
    initial: literal(at, false),
    condition: call(at, "@not_strictly_false", [call(at, "!_", [accumulator])]),
    step: call(at, "_||_", [accumulator, predicate]),
    result: accumulator,
  };
}

function existsOne(at: number, predicate: Expression): Steps {
  const accumulator = identifier(at, accumulatorName);
  const one = literal(at, 1);
  return {
    initial: literal(at, 0),
    condition: literal(at, true),
    step: call(at, "_?_:_", [predicate, call(at, "_+_", [accumulator, one]), accumulator]),
    result: call(at, "_==_", [accumulator, one]),
  };
}

function transformList(macro: MacroCall, variables: 1 | 2): Expression {
  const { at, args } = macro;
  const condition = args.length > variables + 1 ? args[variables] : undefined;
  const transform = argument(macro, args.length - 1);
  const step = call(at, "_+_", [identifier(at, accumulatorName), list(at, [transform])]);
  return fold(loopOf(macro, variables), collecting(at, list(at, []), { condition, step }));
}

function filter(macro: MacroCall): Expression {
  const { at } = macro;
  const loop = loopOf(macro, 1);
  const item = list(at, [identifier(at, loop.variable)]);
  const step = call(at, "_+_", [identifier(at, accumulatorName), item]);
  return fold(loop, collecting(at, list(at, []), { condition: argument(macro, 1), step }));
}

function transformMap(macro: MacroCall, hasKey: boolean): Expression {
  const { at, args } = macro;
  const loop = loopOf(macro, 2);
  const condition = args.length > 3 ? args[2] : undefined;
  const transform = argument(macro, args.length - 1);
  const key = hasKey ? [identifier(at, loop.variable)] : [];
  const accumulator = identifier(at, accumulatorName);
  const step = call(at, "cel.@mapInsert", [accumulator, ...key, transform]);
  const empty: Expression = { kind: "map", at, entries: [] };
  return fold(loop, collecting(at, empty, { condition, step }));
}

/** Every entry adds to what is collected, or those do that fulfil the condition. */
function collecting(
  at: number,
  initial: Expression,
  { condition, step }: { readonly condition: Expression | undefined; readonly step: Expression },
): Steps {
  const accumulator = identifier(at, accumulatorName);
  return {
    initial,
    condition: literal(at, true),
    step: condition === undefined ? step : call(at, "_?_:_", [condition, step, accumulator]),
    result: accumulator,
  };
}

/**
 * `a.optMap(x, e)`: what is optional is worked out once and kept under a name that no source has, whereas upstream
 * repeats the target: chains would double with every link.
 */
function optional(macro: MacroCall, kind: "optMap" | "optFlatMap"): Expression {
  const { at, target, args } = macro;
  const [name] = args;
  if (target === undefined || name?.kind !== "identifier") {
    const place = name?.at ?? at;
    throw new SyntaxProblem(place, `${kind}() variable name must be a simple identifier`);
  }
  const held = identifier(at, "@optional");
  const value = memberCall(at, "value", held);
  const mapped = bind(at, { name: name.name, value, result: argument(macro, 1) });
  const some = kind === "optMap" ? call(at, "optional.of", [mapped]) : mapped;
  const chosen = [memberCall(at, "hasValue", held), some, call(at, "optional.none", [])];
  return bind(at, { name: "@optional", value: target, result: call(at, "_?_:_", chosen) });
}

function sortBy(macro: MacroCall): Expression {
  const { at, target } = macro;
  if (target === undefined || target.kind === "literal" || target.kind === "map") {
    throw new SyntaxProblem(
      target?.at ?? at,
      "sortBy can only be applied to a list, identifier, comprehension, call or select expression",
    );
  }
  const held = identifier(at, "@sortBy");
  const keys = transformList({ ...macro, target: held }, 1);
  const sorted = memberCall(at, "@sortByAssociatedKeys", held, [keys]);
  return bind(at, { name: "@sortBy", value: target, result: sorted });
}

function celBind(macro: MacroCall): Expression | undefined {
  const { at, target, args } = macro;
  if (target?.kind !== "identifier" || target.name !== "cel") return undefined;
  const [name] = args;
  if (name?.kind !== "identifier") {
    throw new SyntaxProblem(name?.at ?? at, "cel.bind() variable names must be simple identifiers");
  }
  return bind(at, { name: name.name, value: argument(macro, 1), result: argument(macro, 2) });
}

interface Binding {
  readonly name: string;
  readonly value: Expression;
  readonly result: Expression;
}

/** A name for a value: a loop over nothing, as upstream has it. */
function bind(at: number, { name, value, result }: Binding): Expression {
  return {
    kind: "fold",
    at,
    range: list(at, []),
    variable: "#unused",
    secondVariable: undefined,
    accumulator: name,
    initial: value,
    condition: literal(at, false),
    step: identifier(at, name),
    result,
  };
}

function identifier(at: number, name: string): Expression {
  return { kind: "identifier", at, name };
}

function literal(at: number, value: boolean | number): Expression {
  return { kind: "literal", at, value };
}

function list(at: number, items: readonly Expression[]): Expression {
  return { kind: "list", at, items: items.map((value) => ({ value, isOptional: false })) };
}

function call(at: number, name: string, args: readonly Expression[]): Expression {
  return { kind: "call", at, name, target: undefined, args };
}

function memberCall(
  at: number,
  name: string,
  target: Expression,
  args: readonly Expression[] = [],
): Expression {
  return { kind: "call", at, name, target, args };
}
