import { badRequest } from "#api/status.ts";
import { labelKeyProblems, labelValueProblems } from "#api/selector/label-syntax.ts";

export type LabelOperator = "in" | "notin" | "=" | "==" | "!=" | "exists" | "!" | "gt" | "lt";

/** One condition on the value of one label. */
export interface LabelRequirement {
  readonly key: string;
  readonly operator: LabelOperator;
  readonly values: readonly string[];
}

export type Labels = Readonly<Record<string, string>>;

/** Answers whether an object's labels fulfil all requirements. */
export interface LabelMatcher {
  readonly requirements: readonly LabelRequirement[];
  /** True when it takes every object, whatever its labels. */
  readonly matchesEverything: boolean;
  matches(labels: Labels | undefined): boolean;
  /** The canonical text, which parses back to the same matcher. */
  toString(): string;
}

/** All requirements joined by "and", in the order of their keys. */
export function matcherOf(requirements: readonly LabelRequirement[]): LabelMatcher {
  const sorted = requirements.toSorted((a, b) => (a.key < b.key ? -1 : a.key > b.key ? 1 : 0));
  const tests = sorted.map(testOf);
  return {
    requirements: sorted,
    matchesEverything: sorted.length === 0,
    matches: (labels = noLabels) => tests.every((test) => test(labels)),
    toString: () => sorted.map(print).join(","),
  };
}

/** Takes no object at all: what a null selector means. */
export const nothingMatcher: LabelMatcher = {
  requirements: [],
  matchesEverything: false,
  matches: () => false,
  toString: () => "",
};

/** The problems of a requirement, each as `path: Invalid value: …` the way upstream prints field errors. */
function requirementProblems({ key, operator, values }: LabelRequirement): string[] {
  const problems: string[] = [];
  const keyProblems = labelKeyProblems(key);
  if (keyProblems.length > 0) {
    problems.push(`key: Invalid value: ${JSON.stringify(key)}: ${keyProblems.join("; ")}`);
  }
  const count = countProblem(operator, values.length);
  if (count !== undefined)
    problems.push(`values: Invalid value: ${JSON.stringify(values)}: ${count}`);
  values.forEach((value, index) => {
    if ((operator === "gt" || operator === "lt") && integerOf(value) === undefined) {
      problems.push(
        `values[${index}]: Invalid value: ${JSON.stringify(value)}: for 'Gt', 'Lt' operators, the value must be an integer`,
      );
    }
  });
  values.forEach((value, index) => {
    const valueProblems = labelValueProblems(value);
    if (valueProblems.length > 0) {
      problems.push(
        `values[${index}][${key}]: Invalid value: ${JSON.stringify(value)}: ${valueProblems.join("; ")}`,
      );
    }
  });
  return problems;
}

/** Throws a 400 that names all problems, as upstream joins errors: `[a, b]`. */
export function assertRequirement(requirement: LabelRequirement, before = ""): void {
  const problems = requirementProblems(requirement);
  if (problems.length === 0) return;
  throw badRequest(before + (problems.length === 1 ? problems[0] : `[${problems.join(", ")}]`));
}

const noLabels: Labels = {};

function countProblem(operator: LabelOperator, count: number): string | undefined {
  if (operator === "in" || operator === "notin") {
    return count > 0 ? undefined : "for 'in', 'notin' operators, values set can't be empty";
  }
  if (operator === "exists" || operator === "!") {
    return count === 0 ? undefined : "values set must be empty for exists and does not exist";
  }
  if (count === 1) return undefined;
  return operator === "gt" || operator === "lt"
    ? "for 'Gt', 'Lt' operators, exactly one value is required"
    : "exact-match compatibility requires one single value";
}

function testOf({ key, operator, values }: LabelRequirement): (labels: Labels) => boolean {
  const first = values[0] ?? "";
  const one = values.length === 1;
  const holds = (value: string): boolean => (one ? value === first : values.includes(value));
  switch (operator) {
    case "=":
    case "==":
    case "in":
      return (labels) => Object.hasOwn(labels, key) && holds(labels[key] ?? "");
    case "!=":
    case "notin":
      return (labels) => !Object.hasOwn(labels, key) || !holds(labels[key] ?? "");
    case "exists":
      return (labels) => Object.hasOwn(labels, key);
    case "!":
      return (labels) => !Object.hasOwn(labels, key);
    case "gt":
      return (labels) => compareInteger(labels, key, first) > 0;
    case "lt":
      return (labels) => compareInteger(labels, key, first) < 0;
  }
}

/** NaN, which is neither more nor less, when either side is no integer. */
function compareInteger(labels: Labels, key: string, bound: string): number {
  const left = Object.hasOwn(labels, key) ? integerOf(labels[key] ?? "") : undefined;
  const right = integerOf(bound);
  if (left === undefined || right === undefined) return Number.NaN;
  return left < right ? -1 : left > right ? 1 : 0;
}

function integerOf(text: string): bigint | undefined {
  if (!/^[+-]?\d{1,63}$/.test(text)) return undefined;
  const value = BigInt(text.replace(/^\+/, ""));
  return value === BigInt.asIntN(64, value) ? value : undefined;
}

function print({ key, operator, values }: LabelRequirement): string {
  const list = values.toSorted().join(",");
  switch (operator) {
    case "exists":
      return key;
    case "!":
      return `!${key}`;
    case "in":
    case "notin":
      return `${key} ${operator} (${list})`;
    case "gt":
      return `${key}>${list}`;
    case "lt":
      return `${key}<${list}`;
    default:
      return `${key}${operator}${list}`;
  }
}
