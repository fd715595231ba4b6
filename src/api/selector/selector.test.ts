import assert from "node:assert/strict";
import { test } from "node:test";
import { StatusError } from "#api/status.ts";
import { parseFieldSelector } from "#api/selector/field-selector.ts";
import { labelSelectorMatcher } from "#api/selector/label-selector.ts";
import { parseLabelSelector } from "#api/selector/parse-label-selector.ts";

function messageOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof StatusError);
    assert.equal(error.status.code, 400);
    return error.message;
  }
  return "no error";
}

const labels = { app: "web", tier: "a", size: "12", empty: "" };

const matching: [string, boolean][] = [
  ["", true],
  ["app", true],
  ["!app", false],
  ["app=web", true],
  ["app==web", true],
  ["app!=web", false],
  ["other!=web", true],
  ["app = web , tier in ( a , b )", true],
  ["tier notin (a)", false],
  ["none notin (a)", true],
  ["size>11,size<13", true],
  ["size>12", false],
  ["app>1", false],
  ["empty=", true],
  ["empty in ()", true],
  ["app in (,web)", true],
  ["in in (in)", false],
  ["constructor", false],
  ["app,!missing,tier=a", true],
];

test("parseLabelSelector() matches as upstream's grammar says", () => {
  assert.deepEqual(
    matching.map(([text]) => [text, parseLabelSelector(text).matches(labels)]),
    matching,
  );
});

test("parseLabelSelector() prints a canonical text that parses back", () => {
  for (const [text] of matching) {
    const printed = parseLabelSelector(text).toString();
    assert.equal(parseLabelSelector(printed).toString(), printed);
  }
  assert.equal(parseLabelSelector("z,x in (c,a,,b),!q,k!=v").toString(), "k!=v,!q,x in (,a,b,c),z");
});

const refused: [string, string][] = [
  ["app=", "no error"],
  ["=web", "found '=', expected: !, identifier, or 'end of string'"],
  ["app,", "found '', expected: identifier after ','"],
  ["app web", "unable to parse requirement: found 'web', expected: in, notin, =, ==, !=, gt, lt"],
  ["app in web", "unable to parse requirement: found 'web' expected: '('"],
  ["app in (a b)", "unable to parse requirement: found 'b', expected: ',' or ')'"],
  ["app=a=b", "found '=', expected: ',' or 'end of string'"],
  ["!app=a", "found '=', expected: ',' or 'end of string'"],
  ["!", "unable to parse requirement: found '', expected: identifier"],
  [
    "size>a",
    `unable to parse requirement: values[0]: Invalid value: "a": for 'Gt', 'Lt' operators, the value must be an integer`,
  ],
  [
    "-a=b",
    `unable to parse requirement: <nil>: Invalid value: "-a": name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')`,
  ],
  [
    "a=_b",
    `unable to parse requirement: values[0][a]: Invalid value: "_b": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')`,
  ],
];

test("parseLabelSelector() refuses with upstream's texts", () => {
  assert.deepEqual(
    refused.map(([text]) => [text, messageOf(() => parseLabelSelector(text))]),
    refused,
  );
});

test("labelSelectorMatcher() takes nothing without a selector and everything with an empty one", () => {
  assert.equal(labelSelectorMatcher(undefined).matches(labels), false);
  assert.equal(labelSelectorMatcher({}).matches(labels), true);
  assert.equal(labelSelectorMatcher({}).matches(undefined), true);
  const selector = {
    matchLabels: { app: "web" },
    matchExpressions: [
      { key: "tier", operator: "In", values: ["a", "b"] },
      { key: "old", operator: "DoesNotExist" },
    ],
  };
  assert.equal(labelSelectorMatcher(selector).matches(labels), true);
  assert.equal(labelSelectorMatcher(selector).toString(), "app=web,!old,tier in (a,b)");
  assert.equal(
    messageOf(() => labelSelectorMatcher({ matchExpressions: [{ key: "a", operator: "in" }] })),
    `"in" is not a valid label selector operator`,
  );
});

test("parseFieldSelector() matches fields and names those it does not know", () => {
  const known = new Set(["spec.nodeName", "status.phase"]);
  const fields: Record<string, string> = { "spec.nodeName": "a", "status.phase": "Running" };
  const matches = (text: string): boolean =>
    parseFieldSelector(text, known).matches((field) => fields[field] ?? "");
  assert.deepEqual(
    ["spec.nodeName=a", "spec.nodeName==b", "status.phase!=Failed,spec.nodeName=a", ""].map(
      matches,
    ),
    [true, false, true, true],
  );
  assert.equal(parseFieldSelector("metadata.name=x", known).exactValue("metadata.name"), "x");
  assert.equal(
    messageOf(() => parseFieldSelector("spec.foo=1", known)),
    "field label not supported: spec.foo",
  );
  assert.equal(
    messageOf(() => parseFieldSelector("spec.foo=1", new Set())),
    `"spec.foo" is not a known field selector: only "metadata.name", "metadata.namespace"`,
  );
  assert.equal(
    messageOf(() => parseFieldSelector("a", known)),
    "invalid selector: 'a'; can't understand 'a'",
  );
});
