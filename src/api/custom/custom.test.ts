import { deepEqual, equal, throws } from "node:assert/strict";
import { test } from "node:test";
import type { Json } from "#api/meta.ts";
import type { JsonObject } from "#api/kind.ts";
import { seededRandom, type Random } from "#base/random.ts";
import { pruneUnknown } from "#api/decode/prune-unknown.ts";
import { parseJsonPath } from "#api/custom/json-path.ts";
import { printerColumnsOf } from "#api/custom/printer-columns.ts";
import { readSchema } from "#api/custom/read-schema.ts";
import { fillSchemaDefaults } from "#api/custom/schema-defaults.ts";
import type { SchemaProps } from "#api/custom/schema-props.ts";
import { hasFormat } from "#api/custom/string-formats.ts";
import { structuralSchemaOf } from "#api/custom/structural-schema.ts";
import { validateAgainst } from "#api/custom/validate-value.ts";

test("parseJsonPath() finds what printer columns ask for", () => {
  const object = {
    spec: {
      list: [
        { name: "a", n: 1 },
        { name: "b", n: 2 },
      ],
      "a.b": "dotted",
    },
    status: {
      conditions: [
        { type: "Ready", status: "True" },
        { type: "Old", status: "False" },
      ],
    },
  };
  const found = Object.fromEntries(
    [
      ".spec.list[0].name",
      ".spec.list[-1].name",
      ".spec.list[*].n",
      ".spec.list[0:1].name",
      ".spec.list[5].name",
      ".spec['a.b']",
      String.raw`.spec.a\.b`,
      '.status.conditions[?(@.type=="Ready")].status',
      ".status.conditions[?(@.type=='Gone')].status",
      ".spec.list[?(@.n>1)].name",
      ".spec.list[?(@.name)].n",
      "..status",
    ].map((path) => [path, parseJsonPath(path)(object)]),
  );
  deepEqual(found, {
    ".spec.list[0].name": ["a"],
    ".spec.list[-1].name": ["b"],
    ".spec.list[*].n": [1, 2],
    ".spec.list[0:1].name": ["a"],
    ".spec.list[5].name": [],
    ".spec['a.b']": ["dotted"],
    [String.raw`.spec.a\.b`]: ["dotted"],
    '.status.conditions[?(@.type=="Ready")].status': ["True"],
    ".status.conditions[?(@.type=='Gone')].status": [],
    ".spec.list[?(@.n>1)].name": ["b"],
    ".spec.list[?(@.name)].n": [1, 2],
    "..status": [object.status, "True", "False"],
  });
  for (const broken of ["", ".spec[", ".spec.[0]]", ".a[?(@.b=1)]", ".a b"]) {
    throws(() => parseJsonPath(broken), Error, broken);
  }
});

test("printerColumnsOf() shows each type as kubectl expects it", () => {
  const columns = printerColumnsOf({
    name: "v1",
    served: true,
    storage: true,
    additionalPrinterColumns: [
      { name: "Text", type: "string", jsonPath: ".object" },
      { name: "Whole", type: "integer", jsonPath: ".number" },
      { name: "Wrong", type: "integer", jsonPath: ".text" },
      { name: "Yes", type: "boolean", jsonPath: ".yes" },
      { name: "Since", type: "date", jsonPath: ".time" },
      { name: "Never", type: "date", jsonPath: ".text" },
      { name: "Absent", type: "string", jsonPath: ".absent" },
    ],
  });
  const object = {
    metadata: { name: "a" },
    object: { b: [1] },
    number: 2.5,
    text: "x",
    yes: true,
    time: "2026-01-01T00:00:00Z",
  };
  const now = Date.parse("2026-01-01T00:02:00Z");
  deepEqual(
    columns.map((column) => column.cell(object, now)),
    ["a", '{"b":[1]}', 2, null, true, "2m", "<invalid>", null],
  );
});

test("fillSchemaDefaults() fills in what is absent, deep and in lists, and drops nulls that may not be", () => {
  const props: SchemaProps = {
    type: "object",
    properties: {
      spec: {
        type: "object",
        default: {},
        properties: {
          a: { type: "string", default: "one" },
          b: { type: "string", nullable: true, default: "two" },
          c: { type: "string" },
          items: {
            type: "array",
            items: { type: "object", properties: { d: { type: "integer", default: 3 } } },
          },
          map: {
            type: "object",
            additionalProperties: {
              type: "object",
              properties: { e: { type: "boolean", default: false } },
            },
          },
        },
      },
    },
  };
  const cases: readonly (readonly [JsonObject, JsonObject])[] = [
    [{}, { spec: { a: "one", b: "two" } }],
    [{ spec: { a: null, b: null, c: null } }, { spec: { a: "one", b: null } }],
    [
      { spec: { a: "x", b: "y", items: [{}, { d: 4 }], map: { k: {} } } },
      { spec: { a: "x", b: "y", items: [{ d: 3 }, { d: 4 }], map: { k: { e: false } } } },
    ],
  ];
  for (const [given, expected] of cases) {
    fillSchemaDefaults(given, props);
    deepEqual(given, expected);
  }
});

test("validateAgainst() lets what an update leaves as it was pass a schema that became stricter", () => {
  const props: SchemaProps = {
    type: "object",
    properties: {
      spec: {
        type: "object",
        properties: {
          name: { type: "string", maxLength: 3 },
          other: { type: "string", maxLength: 3 },
          byKey: {
            type: "array",
            "x-kubernetes-list-type": "map",
            "x-kubernetes-list-map-keys": ["k"],
            items: {
              type: "object",
              properties: { k: { type: "string" }, v: { type: "string", maxLength: 1 } },
            },
          },
        },
      },
    },
  };
  const old = { spec: { name: "too long", other: "a", byKey: [{ k: "a", v: "long" }] } };
  const kept = {
    spec: {
      name: "too long",
      other: "b",
      byKey: [
        { k: "b", v: "x" },
        { k: "a", v: "long" },
      ],
    },
  };
  deepEqual(validateAgainst(kept, props, old), []);
  const changed = { spec: { ...kept.spec, name: "still long" } };
  deepEqual(
    validateAgainst(changed, props, old).map((cause) => cause.field),
    ["spec.name"],
  );
});

test("the combinations allOf, anyOf and not are told as upstream tells them", () => {
  const props: SchemaProps = {
    type: "object",
    properties: {
      n: {
        type: "integer",
        anyOf: [{ minimum: 10 }, { maximum: 2 }],
        allOf: [{ multipleOf: 3 }],
        not: { enum: [5] },
      },
    },
  };
  deepEqual(
    validateAgainst({ n: 5 }, props).map(({ field, message }) => `${field}: ${message}`),
    [
      '<nil>: Invalid value: "": "n" must validate at least one schema (anyOf)',
      "n: Invalid value: 5: n in body should be greater than or equal to 10",
      "n: Invalid value: 5: n in body should be a multiple of 3",
      '<nil>: Invalid value: "": "n" must validate all the schemas (allOf). None validated',
      '<nil>: Invalid value: "": "n" must not validate the schema (not)',
    ],
  );
  deepEqual(validateAgainst({ n: 12 }, props), []);
});

test("hasFormat() knows the formats of custom resources", () => {
  const wrong = [
    ["date-time", "2026-02-30T00:00:00Z"],
    ["date", "2026-13-01"],
    ["ipv4", "1.2.3.256"],
    ["ipv6", "1::2::3"],
    ["cidr", "10.0.0.0/33"],
    ["uuid", "nope"],
    ["byte", "a"],
    ["email", "nobody"],
    ["uri", "no uri"],
    ["hostname", "-a"],
    ["duration", "5 parsecs"],
    ["mac", "00:11:22"],
  ] as const;
  const right = [
    ["date-time", "2026-02-28T00:00:00.5+01:00"],
    ["date", "2026-12-01"],
    ["ipv4", "1.2.3.255"],
    ["ipv6", "fe80::1"],
    ["cidr", "fd00::/8"],
    ["uuid", "6ba7b810-9dad-11d1-80b4-00c04fd430c8"],
    ["byte", "aGk="],
    ["email", "a@example.com"],
    ["uri", "https://example.com/a"],
    ["hostname", "a.example"],
    ["duration", "1h30m"],
    ["mac", "00:11:22:33:44:55"],
    ["made-up", "anything"],
  ] as const;
  deepEqual(
    wrong.filter(([format, text]) => hasFormat(text, format)),
    [],
  );
  deepEqual(
    right.filter(([format, text]) => !hasFormat(text, format)),
    [],
  );
});

test("schemas and objects of any shape are read, pruned, defaulted and validated without a throw", () => {
  const random = seededRandom(11);
  for (let round = 0; round < 500; round += 1) {
    const props = readSchema(randomSchema(random, 0));
    const object = { spec: randomJson(random, 0) };
    const { object: pruned } = pruneUnknown(object, structuralSchemaOf(props));
    const again = pruneUnknown(pruned, structuralSchemaOf(props));
    deepEqual(again.unknown, [], "what is pruned stays so");
    fillSchemaDefaults(pruned, props);
    for (const cause of validateAgainst(pruned, props)) equal(typeof cause.field, "string");
    deepEqual(validateAgainst(pruned, props, structuredClone(pruned)), []);
  }
});

const keywords = [
  "type",
  "properties",
  "items",
  "additionalProperties",
  "anyOf",
  "not",
  "enum",
  "pattern",
  "required",
  "default",
  "nullable",
  "format",
  "minimum",
  "x-kubernetes-list-type",
  "x-kubernetes-list-map-keys",
  "x-kubernetes-preserve-unknown-fields",
  "x-kubernetes-embedded-resource",
];

function randomSchema(random: Random, depth: number): JsonObject {
  const schema: JsonObject = {};
  const inner = (): Json => (depth > 1 ? { type: "string" } : randomSchema(random, depth + 1));
  for (const keyword of keywords) {
    if (random() < 0.6) continue;
    const isBroken = random() < 0.1;
    schema[keyword] =
      (isBroken ? undefined : sensible(keyword, random, inner)) ?? randomJson(random, 2);
  }
  return schema;
}

function sensible(keyword: string, random: Random, inner: () => Json): Json | undefined {
  switch (keyword) {
    case "type":
      return pick(random, ["object", "array", "string", "integer", "boolean"]);
    case "properties":
      return { spec: inner(), a: inner() };
    case "items":
    case "additionalProperties":
    case "not":
      return inner();
    case "anyOf":
      return [inner(), inner()];
    case "required":
    case "x-kubernetes-list-map-keys":
      return ["a"];
    case "pattern":
      return pick(random, ["^a", "(", "(?i)b"]);
    case "x-kubernetes-list-type":
      return pick(random, ["set", "map", "atomic"]);
    default:
      return undefined;
  }
}

function randomJson(random: Random, depth: number): Json {
  const kind = random();
  if (depth > 4 || kind < 0.4)
    return pick<Json>(random, [null, true, 0, -1.5, "", "a", "long text"]);
  if (kind < 0.6) return [randomJson(random, depth + 1), randomJson(random, depth + 1)];
  const fields = ["a", "b", "spec", "metadata", "kind"].filter(() => random() < 0.5);
  return Object.fromEntries(fields.map((field) => [field, randomJson(random, depth + 1)]));
}

function pick<T>(random: Random, from: readonly [T, ...T[]]): T {
  return from[Math.floor(random() * from.length)] ?? from[0];
}
