import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import { validatorOf } from "#api/custom/rules/validate-rules.ts";
import { checkRuleForms, checkRules } from "#api/custom/rules/check-rules.ts";
import type { SchemaProps } from "#api/custom/schema-props.ts";
import type { Json } from "#api/meta.ts";
import type { JsonObject } from "#api/patch/json-object.ts";
import { causesOf } from "#api/validation/field.ts";

const integer: SchemaProps = { type: "integer" };

function withRules(props: SchemaProps, ...rules: readonly (string | JsonObject)[]): SchemaProps {
  const written = rules.map((rule) => (typeof rule === "string" ? { rule } : rule));
  return { ...props, "x-kubernetes-validations": written };
}

function object(properties: Readonly<Record<string, SchemaProps>>): SchemaProps {
  return { type: "object", properties };
}

function listMap(items: SchemaProps): SchemaProps {
  return {
    type: "array",
    items,
    "x-kubernetes-list-type": "map",
    "x-kubernetes-list-map-keys": ["k"],
  };
}

interface Case {
  readonly what: string;
  readonly schema: SchemaProps;
  readonly value: Json;
  readonly old?: Json;
  /** `field: message` of each cause. */
  readonly causes: readonly string[];
}

const cases: readonly Case[] = [
  {
    what: "a rule at the root sees names of the resource",
    schema: withRules(object({ spec: integer }), "self.metadata.name == 'x'", "self.spec < 3"),
    value: { metadata: { name: "y" }, spec: 2 },
    causes: ["<nil>: Invalid value: failed rule: self.metadata.name == 'x'"],
  },
  {
    what: "reasons, paths and messages are what the rule says",
    schema: object({
      spec: withRules(
        object({ a: integer, b: { type: "object", additionalProperties: integer } }),
        { rule: "self.a > 1", reason: "FieldValueForbidden", fieldPath: ".a", message: "no" },
        {
          rule: "!has(self.b)",
          reason: "FieldValueRequired",
          fieldPath: ".b['x']",
          messageExpression: "'need ' + 'x'",
        },
        { rule: "self.a > 2", reason: "FieldValueDuplicate" },
      ),
    }),
    value: { spec: { a: 1, b: {} } },
    causes: ["spec.a: Forbidden: no", "spec.b[x]: Required value: need x", "spec: Duplicate value"],
  },
  {
    what: "scalars are shown with their value, whatever holds them",
    schema: object({
      m: {
        type: "object",
        additionalProperties: { type: "array", items: withRules(integer, "self % 2 == 0") },
      },
    }),
    value: { m: { a: [2, 3] } },
    causes: ["m[a][1]: Invalid value: 3: failed rule: self % 2 == 0"],
  },
  {
    what: "names are escaped, words of the language too",
    schema: withRules(
      object({ "a.b": integer, "c-d": integer, "e/f": integer, if: integer, g__h: integer }),
      "self.a__dot__b == 1 && self.c__dash__d == 2 && self.e__slash__f == 3 && self.__if__ == 4 && self.if == 4 && self.g__underscores__h == 5",
    ),
    value: { "a.b": 1, "c-d": 2, "e/f": 3, if: 4, g__h: 5 },
    causes: [],
  },
  {
    what: "nulls are not there, except in maps and lists",
    schema: withRules(
      object({
        a: { ...integer, nullable: true },
        m: { type: "object", additionalProperties: { ...integer, nullable: true } },
      }),
      "!has(self.a) && type(self.m['x']) == null_type",
    ),
    value: { a: null, m: { x: null } },
    causes: [],
  },
  {
    what: "what is a number or a text is told at run time",
    schema: withRules(
      object({ v: { "x-kubernetes-int-or-string": true } }),
      "type(self.v) == int ? self.v < 5 : self.v.endsWith('%')",
      "self.v < 5",
    ),
    value: { v: "50%" },
    causes: [
      "<nil>: Invalid value: \"object\": 'no such overload': call arguments did not match a supported operator, function or macro signature for rule: self.v < 5",
    ],
  },
  {
    what: "errors at run time name the rule",
    schema: withRules(object({ l: { type: "array", items: integer } }), "self.l[3] == 1"),
    value: { l: [1] },
    causes: [
      '<nil>: Invalid value: "object": index out of bounds: 3 evaluating rule: self.l[3] == 1',
    ],
  },
  {
    what: "sets and list maps are equal in any order, and joined by their keys",
    schema: withRules(
      object({
        a: { type: "array", items: integer, "x-kubernetes-list-type": "set" },
        b: { type: "array", items: integer, "x-kubernetes-list-type": "set" },
        c: listMap(object({ k: integer, v: integer })),
      }),
      "self.a == self.b && self.a + [9] == [3, 2, 1, 9]",
      "(self.c + [self.c[0]]).size() == 2",
    ),
    value: {
      a: [1, 2, 3],
      b: [3, 2, 1],
      c: [
        { k: 1, v: 1 },
        { k: 2, v: 2 },
      ],
    },
    causes: [],
  },
  {
    what: "transition rules run where the old value is known",
    schema: object({
      l: listMap(withRules(object({ k: integer, v: integer }), "self.v >= oldSelf.v")),
    }),
    value: {
      l: [
        { k: 2, v: 1 },
        { k: 1, v: 0 },
        { k: 3, v: 0 },
      ],
    },
    old: {
      l: [
        { k: 1, v: 1 },
        { k: 2, v: 1 },
      ],
    },
    causes: ["l[1]: Invalid value: failed rule: self.v >= oldSelf.v"],
  },
  {
    what: "an optional oldSelf lets them run without one",
    schema: withRules(object({ v: integer }), {
      rule: "oldSelf.hasValue() || self.v == 0",
      optionalOldSelf: true,
      message: "begins at 0",
    }),
    value: { v: 1 },
    causes: ["<nil>: Invalid value: begins at 0"],
  },
  {
    what: "what has not changed passes, what has changed does not",
    schema: object({
      a: withRules(integer, "self > 5"),
      b: withRules(integer, "self > 5"),
      c: { type: "array", items: withRules(integer, "self > 5") },
    }),
    value: { a: 1, b: 2, c: [1] },
    old: { a: 1, b: 1, c: [1] },
    causes: ["b: Invalid value: 2: failed rule: self > 5"],
  },
  {
    what: "rules wait until the shape is right",
    schema: withRules(object({ v: integer }), "self.v > 5"),
    value: { v: "x" },
    causes: [
      'v: Invalid value: "string": v in body must be of type integer: "string"',
      "<nil>: Invalid value: null: some validation rules were not checked because the object was invalid; correct the existing errors to complete validation",
    ],
  },
  {
    what: "one rule that costs too much ends it",
    schema: withRules(
      object({ l: { type: "array", items: integer } }),
      "self.l.all(a, self.l.all(b, self.l.all(c, a + b + c >= 0)))",
      "false",
    ),
    value: { l: Array.from({ length: 100 }, (_none, index) => index) },
    causes: [
      "<nil>: Invalid value: \"object\": 'operation cancelled: actual cost limit exceeded': no further validation rules will be run due to call cost exceeds limit for rule: self.l.all(a, self.l.all(b, self.l.all(c, a + b + c >= 0)))",
    ],
  },
];

for (const { what, schema, value, old, causes } of cases) {
  test(what, () => {
    const found = validatorOf(schema).validate(value as JsonObject, old as JsonObject | undefined);
    deepEqual(
      found.map((cause) => `${cause.field}: ${cause.message}`),
      causes,
    );
  });
}

test("what is wrong with rules is told with their definition", () => {
  const atomic = object({
    l: { type: "array", maxItems: 3, items: withRules(integer, "self == oldSelf") },
  });
  const schema = withRules(
    atomic,
    { rule: " " },
    { rule: "true\n", message: " " },
    { rule: "true\n&& true" },
    { rule: "true", message: "a\nb", messageExpression: " ", reason: "Odd", fieldPath: ".none" },
  );
  const forms = causesOf((root) => checkRuleForms(root.child("s"), schema));
  const at = "s.x-kubernetes-validations";
  deepEqual(
    forms.map((cause) => `${cause.field}: ${cause.message}`),
    [
      `${at}[0].rule: Required value: rule is not specified`,
      `${at}[1].message: Invalid value: " ": must be non-empty if specified`,
      `${at}[2].message: Required value: message must be specified if rule contains line breaks`,
      `${at}[3].message: Invalid value: "a\\nb": must not contain line breaks`,
      `${at}[3].messageExpression: Required value: messageExpression must be non-empty if specified`,
      `${at}[3].reason: Unsupported value: "Odd": supported values: "FieldValueDuplicate", "FieldValueForbidden", "FieldValueInvalid", "FieldValueRequired"`,
      `${at}[3].fieldPath: Invalid value: ".none": must be a valid path`,
    ],
  );
  const more = withRules(
    atomic,
    { rule: "true", optionalOldSelf: true },
    { rule: "true", messageExpression: "1" },
  );
  const rules = causesOf((root) => checkRules(root.child("s"), more));
  deepEqual(
    rules.map((cause) => `${cause.field}: ${cause.message}`),
    [
      's.properties[l].items.x-kubernetes-validations[0].rule: Invalid value: "self == oldSelf": oldSelf cannot be used on the uncorrelatable portion of the schema within s.properties[l]',
      `${at}[0].optionalOldSelf: Invalid value: true: may not be set if oldSelf is not used in rule`,
      `${at}[1].messageExpression: Invalid value: {"rule":"true","messageExpression":"1"}: messageExpression must evaluate to a string`,
    ],
  );
});

test("defaults fulfil the rules of their schema", () => {
  const schema = object({ a: { ...withRules(integer, "self > 5"), default: 3 } });
  const causes = causesOf((root) => checkRules(root.child("s"), schema));
  deepEqual(
    causes.map((cause) => `${cause.field}: ${cause.message}`),
    ["s.properties[a].default: Invalid value: 3: failed rule: self > 5"],
  );
});

test("what passes only because it was so before is warned of", () => {
  const schema = object({ a: withRules(integer, "self > 5"), b: integer });
  const { validate, warnings } = validatorOf(schema);
  const [old, changed] = [
    { a: 1, b: 1 },
    { a: 1, b: 2 },
  ];
  deepEqual(warnings(changed, old), ["a: Invalid value: 1: failed rule: self > 5"]);
  deepEqual(validate(changed, old), []);
});
