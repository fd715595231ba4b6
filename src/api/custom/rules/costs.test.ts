import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { evaluate } from "#api/cel/compile-expression.ts";
import { compileRules } from "#api/custom/rules/compile-rules.ts";
import { declaredTypeOf } from "#api/custom/rules/declared-type.ts";
import type { SchemaProps } from "#api/custom/schema-props.ts";

const text = (maxLength: number): SchemaProps => ({ type: "string", maxLength });
const integer: SchemaProps = { type: "integer" };

const props: SchemaProps = {
  type: "object",
  properties: {
    count: integer,
    name: text(63),
    names: { type: "array", maxItems: 10, items: text(20) },
    ports: {
      type: "array",
      maxItems: 8,
      items: { type: "object", properties: { name: text(15), number: integer } },
    },
    labels: { type: "object", maxProperties: 5, additionalProperties: text(63) },
    amount: text(20),
    address: text(40),
    missing: { type: "string" },
    ratio: { type: "number" },
    since: { type: "string", format: "date-time" },
    size: { "x-kubernetes-int-or-string": true, maxLength: 10 },
  },
};

const self = {
  count: 3,
  name: "web-1",
  names: ["a", "b"],
  ports: [
    { name: "http", number: 80 },
    { name: "https", number: 443 },
  ],
  labels: { app: "x" },
  amount: "500Mi",
  address: "10.1.2.3",
  ratio: 1,
  since: "2024-02-03T04:05:06Z",
  size: "small",
};

/** What a rule can cost by estimate, and what it does cost: both decide which rules and objects are refused. */
const costs: readonly (readonly [rule: string, estimate: number, cost: number])[] = [
  ["self.count + 1 == 4", 4, 4],
  ["has(self.name) && self.name.startsWith('web')", 4, 4],
  ["self.names.all(n, n.size() < 20)", 63, 15],
  ["self.names.exists(n, n == 'b')", 63, 15],
  ["self.names.map(n, n.upperAscii()) == ['A', 'B']", 234, 32],
  ["self.names.filter(n, n != 'b').size() == 1", 165, 22],
  ["self.names.join(',').contains('a,')", 164, 4],
  ["self.ports.exists_one(p, p.name == 'http' && p.number in [80, 8080])", 156, 16],
  ["self.ports.map(p, p.number).sum() == 523", 134, 34],
  ["self.labels.all(k, v, k.matches('^[a-z]+$') && v != '')", 38, 10],
  ["self.labels.transformMap(k, v, v.size()).size() == 1", 60, 10],
  ["quantity(self.amount).isLessThan(quantity('1Gi'))", 12, 5],
  ["cidr('10.0.0.0/8').containsIP(self.address)", 23, 5],
  ["self.?missing.orValue('x') == 'x'", 4, 2],
  ["self.name.find('[0-9]+') == '1'", 55, 5],
  ["self.ratio * 2.0 > 1.0", 4, 4],
  ["self.since.getFullYear() == 2024", 4, 4],
  ["!format.dns1123Label().validate(self.name).hasValue()", 837, 13],
  ["self.size == 'small' || int(self.size) > 3", 7, 3],
  ["self.names.sort() == ['a', 'b']", 234, 22],
];

test("rules cost what they cost upstream, by estimate and when they run", () => {
  const declared = declaredTypeOf(props, { name: "selfType", isResource: false });
  const rules = costs.map(([rule]) => ({ rule }));
  const compiled = compileRules(
    { ...props, "x-kubernetes-validations": rules },
    declared?.type ?? { kind: "dyn", name: "dyn", parameters: [] },
  );
  const found = compiled.map(({ rule, program, error }) => {
    if (program === undefined || declared === undefined) return [rule.rule, error];
    const outcome = evaluate(program, { self });
    const estimate = program.estimate(new Map([["self", declared.type]])).max;
    return [rule.rule, estimate, outcome.cost, outcome.ok && outcome.value];
  });
  deepEqual(
    found,
    costs.map((row) => [...row, true]),
  );
});
