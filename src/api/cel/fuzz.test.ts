import { equal, ok } from "node:assert/strict";
import { test } from "node:test";
import { compileExpression, evaluate, perCallLimit } from "#api/cel/compile-expression.ts";
import { kubernetesEnvironment } from "#api/cel/library/kubernetes.ts";
import { dynType, intType, listOf, mapOf, stringType } from "#api/cel/type.ts";
import { seededRandom } from "#base/random.ts";

const environment = kubernetesEnvironment(
  new Map([
    ["self", dynType],
    ["n", intType],
    ["s", stringType],
    ["l", listOf(stringType)],
    ["m", mapOf(stringType, dynType)],
    ["big", stringType],
    ["digits", stringType],
    ["half", stringType],
    ["long", listOf(intType)],
    ["nested", listOf(listOf(intType))],
  ]),
);
const variables = {
  self: { a: [1, 2.5, null, { b: "x" }], "b-c": "1h", d: true },
  n: 3,
  s: "a👑.b/c-10Gi",
  l: ["x", "yy", "10.0.0.1", "1.2.3"],
  m: { k: 1, l: [1], o: { p: "q" } },
  big: "x".repeat(1_000_000),
  digits: "1".repeat(1_000_000),
  half: "\ud800",
  long: Array.from({ length: 100_000 }, (_none, index) => index),
  nested: Array.from({ length: 100 }, () => Array.from({ length: 1_000 }, (_none, at) => at)),
};

const atoms =
  "1 -1 0 2.5 3u true null 'a' b'z' 9223372036854775807 self self.a self.d n s l m m.k self['b-c'] @ . {} [] x".split(
    " ",
  );
const operators = "+ - * / % == != < <= > >= && || in".split(" ");
const members =
  "size() all(x,x==x) exists(x,x) map(x,x+x) filter(x,has(x.b)) exists_one(i,v,i>0) a ?b [0] [?0] matches(s) find('a') replace(s,s) split('') join(s) sort() sortBy(x,x) flatten() distinct() slice(0,2) orValue(1) optMap(x,x) value() sum() max() format([n,s]) transformMap(k,v,v) lowerAscii() substring(1,3) getHours()".split(
    " ",
  );
const functions =
  "int double string dyn type bytes duration timestamp quantity ip cidr url semver isIP sets.contains lists.range optional.of has".split(
    " ",
  );

/** Whole numbers from 0, repeatable. */
function belowOf(seed: number): (limit: number) => number {
  const random = seededRandom(seed);
  return (limit) => Math.floor(random() * limit);
}

test("no expression breaks the compiler, and none costs more than it may", () => {
  const below = belowOf(7);
  const pick = (words: readonly string[]): string => words[below(words.length)] ?? "";
  const expression = (depth: number): string => {
    if (depth <= 0) return pick(atoms);
    const inner = (): string => expression(depth - 1 - below(2));
    switch (below(7)) {
      case 0:
        return `(${inner()} ${pick(operators)} ${inner()})`;
      case 1: {
        const member = pick(members);
        return `${inner()}${member.startsWith("[") ? "" : "."}${member}`;
      }
      case 2:
        return `${pick(functions)}(${inner()})`;
      case 3:
        return `(${inner()} ? ${inner()} : ${inner()})`;
      case 4:
        return `[${inner()}, ${inner()}]`;
      case 5:
        return `{${inner()}: ${inner()}}`;
      default:
        return inner();
    }
  };
  let evaluated = 0;
  for (let round = 0; round < 20_000; round += 1) {
    const source = expression(1 + below(6));
    const { program } = compileExpression(source, environment);
    if (program === undefined) continue;
    program.estimate(new Map());
    const outcome = evaluate(program, variables);
    evaluated += 1;
    ok(outcome.ok || outcome.error.message !== "", source);
  }
  ok(evaluated > 2_000, `${evaluated} were evaluated`);
});

test("texts that are no expressions are refused with a place", () => {
  const below = belowOf(11);
  const letters = "ab1.()[]{}'\"\\?:&|<>=!+-*/%, \n\0👑é`@#$;rbxu0";
  const all = Array.from(letters);
  for (let round = 0; round < 20_000; round += 1) {
    const length = below(24);
    const source = Array.from({ length }, () => all[below(all.length)]).join("");
    const { errors } = compileExpression(source, environment);
    if (errors !== undefined) ok(errors.startsWith("ERROR: <input>:"), source);
  }
});

const runaways: readonly (readonly [what: string, source: string, outcome: RegExp])[] = [
  ["nested parentheses", `${"(".repeat(5_000)}1${")".repeat(5_000)}`, /recursion limit/],
  ["a long chain of members", `self${".a".repeat(20_000)}`, /recursion limit/],
  ["a long sum", `1${" + 1".repeat(20_000)}`, /recursion limit/],
  ["too long a source", "1".repeat(200_000), /code point size exceeds limit/],
  [
    "chains that upstream doubles",
    `optional.of(1)${".optMap(x, x)".repeat(60)}.hasValue()`,
    /cost limit exceeded/,
  ],
  ["nested loops", nestedLoops(7), /cost limit exceeded/],
  ["a range of everything", "lists.range(9223372036854775807).size() > 0", /cost limit exceeded/],
  ["sorting much", "lists.range(5000).sort().size() > 0", /cost limit exceeded/],
  ["a pattern that runs away elsewhere", `'${"a".repeat(5_000)}!'.matches('^(a+)+$')`, /^false$/],
  ["sizes of a long text", "lists.range(100000).all(x, big.size() > 0)", /cost limit exceeded/],
  [
    "a long text beside a short one",
    "lists.range(100000).exists(x, big == '')",
    /cost limit exceeded/,
  ],
  ["joined lists", "lists.range(20000).all(x, (long + long).size() > x)", /cost limit exceeded/],
  [
    "deep equality",
    "lists.range(50000).all(x, nested == nested + [] || true)",
    /cost limit exceeded/,
  ],
  ["numbers of many digits", "int(digits) == 1", /value out of range/],
  ["texts that are nearly numbers", "double(digits + 'x') == 1.0", /invalid syntax/],
  ["texts that are nearly amounts", "isQuantity(digits + 'x')", /^false$/],
  ["half letters", "url('https://a/' + half).getEscapedPath().size() > 0", /^true$/],
  [
    "texts that grow",
    `${"s".padEnd(1)}${".replace('', s + s + s + s)".repeat(12)}.size() > 0`,
    /cost limit|too long/,
  ],
];

for (const [what, source, expected] of runaways) {
  test(`nothing runs away: ${what}`, () => {
    const { program, errors = "" } = compileExpression(source, environment);
    if (program === undefined) return ok(expected.test(errors), errors.slice(0, 200));
    const outcome = evaluate(program, variables);
    const text = outcome.ok ? String(outcome.value === true) : outcome.error.message;
    ok(expected.test(text), text);
    if (!outcome.ok) return undefined;
    return ok(outcome.cost <= perCallLimit);
  });
}

function nestedLoops(depth: number): string {
  const list = "[1,2,3,4,5,6,7,8,9,10]";
  return depth === 0 ? "true" : `${list}.all(x${depth}, ${nestedLoops(depth - 1)})`;
}

test("a cost that is used up is not absorbed by conditions", () => {
  const { program } = compileExpression(
    "true || n > 0 || [1].all(x, lists.range(9000000).size() > x)",
    environment,
  );
  ok(program);
  equal(evaluate(program, variables).ok, true);
  const all = compileExpression("lists.range(9000000).size() > 0 || true", environment).program;
  ok(all);
  equal(evaluate(all, variables).ok, false);
});
