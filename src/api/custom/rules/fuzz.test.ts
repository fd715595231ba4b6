import { ok } from "node:assert/strict";
import { test } from "node:test";
import { checkRuleForms, checkRules } from "#api/custom/rules/check-rules.ts";
import { validatorOf } from "#api/custom/rules/validate-rules.ts";
import type { SchemaProps } from "#api/custom/schema-props.ts";
import type { Json } from "#api/meta.ts";
import type { JsonObject } from "#api/patch/json-object.ts";
import { causesOf } from "#api/validation/field.ts";
import { seededRandom } from "#base/random.ts";

const rules = [
  "self == oldSelf",
  "true",
  "self.a == self.b",
  "self.size() < 3",
  "self.all(x, x == x)",
  "self.exists(k, self[k] != null)",
  "has(self.a) ? self.a > 1 : true",
  "self.a.b.startsWith('x')",
  "oldSelf.hasValue()",
  "self.map(x, x).sort() == self",
  "type(self) == int",
  "self.getHours() > 2",
  "self > 3.0",
  "self + self == self",
  "self.?a.orValue(1) == 1",
  "self.metadata.name == 'x'",
  "self.a__dot__b",
  "1 +",
  "duration(self) > duration('1h')",
  "self.exists_one(x, x.a.matches('['))",
];
const names = ["a", "b", "a.b", "if", "-", "metadata", "0"];
const texts = ["", "x", "1h", "2024-01-01", "2024-01-01T00:00:00Z", "QQ==", "👑"];

test("no schema with rules and no object breaks the checks", () => {
  const random = seededRandom(3);
  const below = (limit: number): number => Math.floor(random() * limit);
  const pick = <T>(list: readonly [T, ...T[]] | readonly T[]): T => list[below(list.length)] as T;

  const schema = (depth: number): SchemaProps => {
    const rule = (): JsonObject => ({
      rule: pick(rules),
      ...(below(3) === 0 && { optionalOldSelf: below(2) === 0 }),
      ...(below(4) === 0 && { messageExpression: pick(["'x'", "self", "string(self.a)", "1"]) }),
      ...(below(4) === 0 && { fieldPath: pick([".a", ".a.b", "['a.b']", "a", "."]) }),
      ...(below(4) === 0 && { reason: pick(["FieldValueForbidden", "FieldValueRequired", "Odd"]) }),
    });
    const own = below(2) === 0 ? { "x-kubernetes-validations": [rule(), rule()] } : {};
    const inner = (): SchemaProps => schema(depth - 1);
    const kind = depth <= 0 ? 4 + below(6) : below(10);
    if (kind === 0 || kind === 1) {
      const properties = Object.fromEntries(
        names.slice(0, 1 + below(7)).map((name) => [name, inner()]),
      );
      return { ...own, type: "object", properties };
    }
    if (kind === 2) return { ...own, type: "object", additionalProperties: inner() };
    if (kind === 3)
      return {
        ...own,
        type: "array",
        items: inner(),
        ...(below(2) === 0 && { "x-kubernetes-list-type": "set" }),
      };
    if (kind === 4) return { ...own, "x-kubernetes-int-or-string": true };
    if (kind === 5)
      return {
        ...own,
        type: "string",
        format: pick(["date", "date-time", "duration", "byte", ""]),
      };
    if (kind === 6) return { ...own, type: "object", "x-kubernetes-preserve-unknown-fields": true };
    return {
      ...own,
      type: pick(["integer", "number", "boolean", "string"]),
      nullable: below(2) === 0,
    };
  };

  const value = (depth: number): Json => {
    switch (depth <= 0 ? below(5) : below(8)) {
      case 0:
        return null;
      case 1:
        return below(2) === 0;
      case 2:
        return pick([0, -1, 1.5, 2 ** 60, 7]);
      case 3:
      case 4:
        return pick(texts);
      case 5:
        return Array.from({ length: below(4) }, () => value(depth - 1));
      default:
        return Object.fromEntries(names.slice(0, below(7)).map((name) => [name, value(depth - 1)]));
    }
  };

  let found = 0;
  for (let round = 0; round < 800; round += 1) {
    const props: SchemaProps = { ...schema(3), type: "object" };
    found += causesOf((root) => {
      checkRuleForms(root, props);
      checkRules(root, props);
    }).length;
    const { validate, warnings } = validatorOf(props);
    const [object, old] = [
      { a: value(3), b: value(3) },
      { a: value(3), b: value(3) },
    ];
    found += validate(object).length + warnings(object, old).length + validate(object, old).length;
  }
  ok(found > 800, `${found} causes`);
});
