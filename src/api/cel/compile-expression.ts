import { checkExpression } from "#api/cel/check/checker.ts";
import type { Checked } from "#api/cel/check/checked.ts";
import { estimateCost } from "#api/cel/cost/estimate.ts";
import type { Range } from "#api/cel/cost/range.ts";
import type { Environment } from "#api/cel/environment.ts";
import { measured } from "#api/cel/meter.ts";
import { buildProgram } from "#api/cel/run/build.ts";
import { Frame, type Step, type Variables } from "#api/cel/run/frame.ts";
import { parseExpression } from "#api/cel/syntax/parser.ts";
import { formatProblems, type Problem } from "#api/cel/syntax/problem.ts";
import { SyntaxProblem } from "#api/cel/syntax/tokens.ts";
import { checkLiterals } from "#api/cel/check/check-literals.ts";
import type { Type } from "#api/cel/type.ts";
import { withinLimit } from "#api/cel/work.ts";
import { CostExceededError, EvaluationError, type Value } from "#api/cel/value.ts";

/** An expression that is ready to run, as often as one likes. */
export interface Program {
  readonly source: string;
  readonly type: Type;
  /** The variables of the environment that it names. */
  readonly variables: ReadonlySet<string>;
  /** What it can cost, given the sizes that the types of these variables allow. */
  estimate(variables: ReadonlyMap<string, Type>): Range;
  readonly run: Step;
}

export type Compiled =
  | { readonly program: Program; readonly errors?: undefined }
  /** The problems as upstream shows them, each with its place: `ERROR: <input>:1:1: …`. */
  | { readonly program?: undefined; readonly errors: string };

/** Parses, checks and prepares an expression. Never throws for what the expression does wrong. */
export function compileExpression(source: string, environment: Environment): Compiled {
  return measured("compiled", () => compile(source, environment));
}

function compile(source: string, environment: Environment): Compiled {
  try {
    const parsed = parseExpression(source, environment.macros);
    const outcome = checkExpression(parsed, environment);
    if ("problems" in outcome) return failed(source, outcome.problems);
    const problems = checkLiterals(outcome.checked, environment.mixedLiterals === true);
    if (problems.length > 0) return failed(source, problems);
    return { program: programOf(source, outcome.checked) };
  } catch (error) {
    if (error instanceof SyntaxProblem) return failed(source, [error.problem]);
    throw error;
  }
}

function failed(source: string, problems: readonly Problem[]): Compiled {
  return { errors: formatProblems(source, problems) };
}

function programOf(source: string, checked: Checked): Program {
  let run: Step | undefined;
  return {
    source,
    type: checked.type,
    variables: checked.variables,
    estimate: (variables) => estimateCost(checked, variables),
    run: (frame) => {
      run ??= buildProgram(checked);
      return run(frame);
    },
  };
}

/** How one evaluation came out. `cost` is in upstream's units. */
export type Evaluated =
  | { readonly ok: true; readonly value: Value; readonly cost: number }
  | {
      readonly ok: false;
      readonly error: EvaluationError | CostExceededError;
      readonly cost: number;
    };

/** What one evaluation may cost: about a tenth of a second upstream. */
export const perCallLimit = 1_000_000;

/** Works an expression out. What it throws beside that comes from the getters of `variables`. */
export function evaluate(
  program: Program,
  variables: Variables,
  limit: number = perCallLimit,
): Evaluated {
  const frame = new Frame(variables, Math.min(limit, perCallLimit));
  try {
    const value = measured("evaluated", () => withinLimit(() => program.run(frame)));
    return { ok: true, value, cost: frame.cost };
  } catch (error) {
    const { cost } = frame;
    if (error instanceof EvaluationError || error instanceof CostExceededError) {
      return { ok: false, error, cost };
    }
    // A text or list too long for JavaScript, or a value nested too deep.
    if (error instanceof RangeError) {
      return { ok: false, error: new EvaluationError(error.message), cost };
    }
    throw error;
  }
}
