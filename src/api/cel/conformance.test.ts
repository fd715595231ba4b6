import { deepEqual, equal, ok } from "node:assert/strict";
import { test } from "node:test";
import { tests as checking } from "@bufbuild/cel-spec/testdata/checking.js";
import { tests as comprehensions } from "@bufbuild/cel-spec/testdata/comprehension.js";
import { tests as official } from "@bufbuild/cel-spec/testdata/conformance.js";
import { tests as parsing } from "@bufbuild/cel-spec/testdata/parsing.js";
import { compileExpression, evaluate } from "#api/cel/compile-expression.ts";
import {
  expectedValue,
  readType,
  Unsupported,
  type WireType,
  type WireValue,
} from "#api/cel/testing/conformance-values.ts";
import { celEquals } from "#api/cel/equality.ts";
import { kubernetesEnvironment } from "#api/cel/library/kubernetes.ts";
import { formatType, type Type } from "#api/cel/type.ts";
import { doubleOf } from "#api/cel/numbers.ts";
import { typeOfValue, type Value } from "#api/cel/value.ts";

// The official tests of the language (cel-spec), and those of cel-go for parsing, checking and comprehensions with
// the types that cel-go deduced.

interface Suite {
  readonly name: string;
  readonly suites?: readonly Suite[];
  readonly tests?: readonly Case[];
}

interface Case {
  readonly original: {
    readonly name?: string;
    readonly expr: string;
    readonly value?: WireValue;
    readonly evalError?: unknown;
    readonly typedResult?: unknown;
    readonly checkOnly?: boolean;
    readonly disableCheck?: boolean;
    readonly container?: string;
    readonly bindings?: Readonly<Record<string, { readonly value: WireValue }>>;
    readonly typeEnv?: readonly Declaration[];
  };
  readonly type?: string;
}

interface Declaration {
  readonly name: string;
  readonly ident?: { readonly type: WireType };
  readonly function?: unknown;
}

/** What Kubernetes does not have. */
const leftOut: readonly (readonly [why: string, pattern: RegExp])[] = [
  [
    "messages of protobuf and their enums",
    /TestAll|google\.protobuf\.(?!Timestamp|Duration)|google\.api\.expr|cel\.expr|proto[23]|messageType/,
  ],
  [
    "libraries: math, encoders, bindings, blocks, newer strings",
    /math\.|base64\.|cel\.bind|cel\.block|\.reverse\(\)|strings\.quote\(b/,
  ],
  ["names in backquotes", /`/],
];
const leftOutSuites =
  /^(?:proto|enums|dynamic|wrappers|block_ext|bindings_ext|encoders_ext|math_ext)/;
/** Kubernetes keeps the first form of `format`: grouped digits, superscripts, quotes within lists. */
const firstFormat =
  /%(?:\.\d+)?e|Infinity|NaN|%s.*\.format\(\[(?:dyn\()?[[{]|str_var\.format\(\[1052/;

test("the official conformance tests pass, less what Kubernetes has not", () => {
  const outcome = run(official as unknown as Suite);
  deepEqual(outcome.failures, []);
  ok(outcome.passed > 1_200, `${outcome.passed} passed`);
});

test("cel-go's own tests of comprehensions pass", () => {
  const { passed, failures } = run(comprehensions as unknown as Suite);
  // Half of them are about what must not compile or run, and some name a variable that is not told.
  const evaluated = failures.filter((failure) => !/ERROR: <input>|insert failed/.test(failure));
  deepEqual(evaluated, []);
  ok(passed > 30, `${passed} passed`);
});

for (const [name, suite] of [
  ["parsing", parsing],
  ["checking", checking],
] as const) {
  test(`expressions get the types that cel-go deduces: ${name}`, () => {
    const failures: string[] = [];
    let compared = 0;
    for (const one of casesOf(suite as unknown as Suite)) {
      const { original, type } = one;
      if (type === undefined || isLeftOut(name, one)) continue;
      const { program, errors = "" } = compile(one);
      // Some name variables and functions that are not told.
      if (errors.includes("undeclared reference")) continue;
      if (program === undefined) failures.push(`${original.expr}: ${errors}`);
      else if (formatType(program.type) !== type) {
        failures.push(`${original.expr}: ${formatType(program.type)}, not ${type}`);
      }
      compared += 1;
    }
    deepEqual(failures, []);
    ok(compared > 20, `${compared} compared`);
  });
}

test("what is wrong is told as cel-go tells it", () => {
  const cases = [
    [
      "undef",
      "ERROR: <input>:1:1: undeclared reference to 'undef' (in container '')\n | undef\n | ^",
    ],
    [
      "1 + 'a'",
      "ERROR: <input>:1:3: found no matching overload for '_+_' applied to '(int, string)'\n | 1 + 'a'\n | ..^",
    ],
    [
      "a[b]",
      "ERROR: <input>:1:1: undeclared reference to 'a' (in container '')\n | a[b]\n | ^\nERROR: <input>:1:3: undeclared reference to 'b' (in container '')\n | a[b]\n | ..^",
    ],
    [
      "true\n && '👑' > 1",
      "ERROR: <input>:2:9: found no matching overload for '_>_' applied to '(string, int)'\n |  && '👑' > 1\n | .....．..^",
    ],
  ] as const;
  for (const [source, errors] of cases) {
    equal(compileExpression(source, kubernetesEnvironment(new Map())).errors, errors);
  }
});

function run(suite: Suite): { readonly passed: number; readonly failures: readonly string[] } {
  const failures: string[] = [];
  let passed = 0;
  for (const [path, one] of pathsOf(suite, "")) {
    if (isLeftOut(path, one)) continue;
    const problem = problemOf(one);
    if (problem === "unsupported") continue;
    if (problem === undefined) passed += 1;
    else failures.push(`${path}/${one.original.name ?? one.original.expr}: ${problem}`);
  }
  return { passed, failures };
}

function* casesOf(suite: Suite): Generator<Case> {
  for (const [, one] of pathsOf(suite, "")) yield one;
}

function* pathsOf(suite: Suite, path: string): Generator<readonly [string, Case]> {
  for (const one of suite.tests ?? []) yield [path, one];
  for (const inner of suite.suites ?? []) {
    yield* pathsOf(inner, path === "" ? inner.name : `${path}/${inner.name}`);
  }
}

function isLeftOut(path: string, { original }: Case): boolean {
  // Kubernetes checks every expression.
  if (original.disableCheck || leftOutSuites.test(path)) return true;
  if (path === "string_ext/format" && firstFormat.test(original.expr)) return true;
  if (original.typeEnv?.some((one) => one.function !== undefined)) return true;
  const text = JSON.stringify(original);
  return leftOut.some(([, pattern]) => pattern.test(text));
}

function compile({ original }: Case) {
  const variables = new Map<string, Type>();
  for (const { name, ident } of original.typeEnv ?? []) {
    if (ident !== undefined) variables.set(name, readType(ident.type));
  }
  const { container = "" } = original;
  const environment = { ...kubernetesEnvironment(variables), mixedLiterals: true, container };
  return compileExpression(original.expr, environment);
}

function problemOf(one: Case): string | undefined {
  try {
    return mismatchOf(one);
  } catch (error) {
    if (error instanceof Unsupported) return "unsupported";
    throw error;
  }
}

function mismatchOf(one: Case): string | undefined {
  const { original, type } = one;
  const isWrong = original.evalError !== undefined;
  const { program, errors } = compile(one);
  if (program === undefined) return isWrong ? undefined : errors;
  if (type !== undefined && formatType(program.type) !== type) {
    return `type ${formatType(program.type)}, not ${type}`;
  }
  if (original.checkOnly || original.typedResult !== undefined) return undefined;
  const variables: Record<string, Value> = {};
  for (const [name, { value }] of Object.entries(original.bindings ?? {})) {
    variables[name] = expectedValue(value);
  }
  const outcome = evaluate(program, variables);
  if (!outcome.ok) return isWrong ? undefined : outcome.error.message;
  if (isWrong) return "goes well";
  if (original.value === undefined && typeof outcome.value !== "boolean") return undefined;
  const wanted = original.value === undefined ? true : expectedValue(original.value);
  return isSame(outcome.value, wanted) ? undefined : "another value";
}

function isSame(a: Value, b: Value): boolean {
  if (Number.isNaN(doubleOf(a)) && Number.isNaN(doubleOf(b))) return true;
  return celEquals(a, b) && typeOfValue(a).name === typeOfValue(b).name;
}
