import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "#base/random.ts";
import type { Json } from "#api/meta.ts";
import { schemaOf } from "#api/schemas/builtin-schemas.ts";
import type { Schema } from "#api/schema.ts";
import { StatusError } from "#api/status.ts";
import { checkFields } from "#api/decode/check-fields.ts";
import { decodeBody, type BodyMediaType } from "#api/decode/decode-body.ts";
import { hasDuplicateKeys } from "#api/decode/duplicate-keys.ts";
import { scanJson } from "#api/decode/json-scan.ts";
import { pruneUnknown } from "#api/decode/prune-unknown.ts";

const bytesOf = (text: string): Uint8Array => new TextEncoder().encode(text);

function decode(text: string, mediaType: BodyMediaType = "application/json"): Json {
  return decodeBody(bytesOf(text), mediaType).value;
}

function refusalOf(act: () => unknown): string {
  try {
    act();
  } catch (error) {
    assert.ok(error instanceof StatusError, String(error));
    assert.equal(error.status.code, 400);
    return error.message;
  }
  return "no refusal";
}

test("decodeBody() says what is wrong with JSON as Go does", () => {
  const cases: [string, string][] = [
    ["", "unexpected end of JSON input"],
    ['{"a":', "unexpected end of JSON input"],
    ['{"a" 1}', "invalid character '1' after object key"],
    ["{a:1}", "invalid character 'a' looking for beginning of object key string"],
    ['{"a":1 "b"}', `invalid character '"' after object key:value pair`],
    ["[1 2]", "invalid character '2' after array element"],
    ["[1,]", "invalid character ']' looking for beginning of value"],
    ["{} x", "invalid character 'x' after top-level value"],
    ["trxe", "invalid character 'x' in literal true (expecting 'u')"],
    ['"a\nb"', "invalid character '\\n' in string literal"],
    ['"\\x"', "invalid character 'x' in string escape code"],
    ["01", "invalid character '1' after top-level value"],
    ["-x", "invalid character 'x' in numeric literal"],
    ["1.x", "invalid character 'x' after decimal point in numeric literal"],
    ["\uFEFF{}", "invalid character '\uFEFF' looking for beginning of value"],
    ["[".repeat(1001), "exceeded max depth"],
  ];
  assert.deepEqual(
    cases.map(([text]) => [text, refusalOf(() => decode(text))]),
    cases.map(([text, why]) => [text, `couldn't get version/kind; json parse error: ${why}`]),
  );
  assert.equal(
    refusalOf(() => decodeBody(bytesOf("{x"), "application/json", { kind: "Pod" })),
    "the object provided is unrecognized (must be of type Pod): couldn't get version/kind; " +
      "json parse error: invalid character 'x' looking for beginning of object key string ({x)",
  );
});

test("decodeBody() reads YAML as upstream's YAML 1.1 reader does", () => {
  const text = "a: yes\nb: 2001-01-01\nc: 010\nd: 12:30:45\ne: ~\nf: |\n  x\n1: {g: [h]}\n";
  assert.deepEqual(decode(text, "application/yaml"), {
    "1": { g: ["h"] },
    a: true,
    b: "2001-01-01",
    c: 8,
    d: "12:30:45",
    e: null,
    f: "x\n",
  });
  assert.deepEqual(decode('{"a": 1}', "application/yaml"), { a: 1 });
  assert.deepEqual(decode("{a: 1}", "application/yaml"), { a: 1 });
  assert.match(
    refusalOf(() => decode("a: [1\nb: 2", "application/yaml")),
    /^yaml: line \d+: /,
  );
  assert.match(
    refusalOf(() => decode("a: *x", "application/yaml")),
    /^yaml: unresolved alias/,
  );
  const deepest = "[".repeat(100_000);
  assert.match(
    refusalOf(() => decode(deepest, "application/yaml")),
    /^yaml: /,
  );
  const bomb = ["a0: &a0 [x]"];
  for (let i = 1; i < 12; i++) bomb.push(`a${i}: &a${i} [${`*a${i - 1},`.repeat(9)}]`);
  assert.match(
    refusalOf(() => decode(bomb.join("\n"), "application/yaml")),
    /alias/i,
  );
});

const deployment = schemaOf("io.k8s.api.apps.v1.Deployment");
const subject = { kind: "Deployment", version: "v1" };
const prefix = 'Deployment in version "v1" cannot be handled as a Deployment: ';

const strange = `{"apiVersion":"apps/v1","kind":"Deployment","spec":{"x":1,"x":{"y":1,"y":1},"replicas":1,
  "replicas":2,"template":{"spec":{"containers":[{"name":"a","foo":1,"image":"1","image":"2","image":"3"}]}}}}`;

const findings = [
  'unknown field "spec.x"',
  'duplicate field "spec.replicas"',
  'unknown field "spec.template.spec.containers[0].foo"',
  'duplicate field "spec.template.spec.containers[0].image"',
];

test("checkFields() reports unknown and duplicate fields in the order of the text", () => {
  const body = decodeBody(bytesOf(strange), "application/json", { findDuplicates: true });
  const kept = {
    apiVersion: "apps/v1",
    kind: "Deployment",
    spec: { replicas: 2, template: { spec: { containers: [{ name: "a", image: "3" }] } } },
  };
  assert.deepEqual(checkFields(body.value, deployment, { mode: "Warn", body, subject }), {
    object: kept,
    warnings: findings,
  });
  assert.deepEqual(checkFields(body.value, deployment, { mode: "Ignore", body, subject }), {
    object: kept,
    warnings: [],
  });
  assert.equal(
    refusalOf(() => checkFields(body.value, deployment, { mode: "Strict", body, subject })),
    `${prefix}strict decoding error: ${findings.join(", ")}`,
  );
});

test("checkFields() reports duplicate keys of YAML", () => {
  const text = "spec:\n  replicas: 1\n  replicas: 2\n  foo: 1\n";
  const body = decodeBody(bytesOf(text), "application/yaml", { findDuplicates: true });
  assert.equal(
    refusalOf(() => checkFields(body.value, deployment, { mode: "Strict", body, subject })),
    `${prefix}strict decoding error: yaml: unmarshal errors:\n  line 3: key "replicas" already set in map, unknown field "spec.foo"`,
  );
});

test("checkFields() bounds what it reports", () => {
  const spec = Object.fromEntries(Array.from({ length: 500 }, (_, i) => [`x${i}`, 1]));
  assert.equal(checkFields({ spec }, deployment, { mode: "Warn" }).warnings.length, 100);
});

test("checkFields() refuses wrong types with Go's texts", () => {
  const container = (fields: Json): Json => ({
    spec: { template: { spec: { containers: [fields] } } },
  });
  const cases: [Json, string][] = [
    [[], "json: cannot unmarshal array into Go value of type v1.Deployment"],
    [
      { spec: { replicas: "1" } },
      "json: cannot unmarshal string into Go struct field DeploymentSpec.spec.replicas of type int32",
    ],
    [
      { spec: { replicas: 3e9 } },
      "json: cannot unmarshal number 3000000000 into Go struct field DeploymentSpec.spec.replicas of type int32",
    ],
    [
      { spec: { replicas: 1.5 } },
      "json: cannot unmarshal number 1.5 into Go struct field DeploymentSpec.spec.replicas of type int32",
    ],
    [
      { spec: [] },
      "json: cannot unmarshal array into Go struct field Deployment.spec of type v1.DeploymentSpec",
    ],
    [
      { metadata: { labels: { a: 1 } } },
      "json: cannot unmarshal number into Go struct field ObjectMeta.metadata.labels of type string",
    ],
    [
      container({ name: 1 }),
      "json: cannot unmarshal number into Go struct field Container.spec.template.spec.containers.name of type string",
    ],
    [
      { spec: { template: { spec: { containers: {} } } } },
      "json: cannot unmarshal object into Go struct field PodSpec.spec.template.spec.containers of type []v1.Container",
    ],
    [
      container({ resources: { limits: { cpu: "abc" } } }),
      "quantities must match the regular expression '^([+-]?[0-9.]+)([eEinumkKMGTP]*[-+]?[0-9]*)$'",
    ],
    [
      { metadata: { creationTimestamp: "yesterday" } },
      `parsing time "yesterday" as "2006-01-02T15:04:05Z07:00": cannot parse "yesterday" as "2006"`,
    ],
    [
      { metadata: { creationTimestamp: "2024-02-30T00:00:00Z" } },
      `parsing time "2024-02-30T00:00:00Z": day out of range`,
    ],
    [
      container({ livenessProbe: { httpGet: { port: true } } }),
      "json: cannot unmarshal bool into Go value of type int32",
    ],
  ];
  assert.deepEqual(
    cases.map(([value]) => [
      value,
      refusalOf(() => checkFields(value, deployment, { mode: "Strict", subject })),
    ]),
    cases.map(([value, message]) => [value, prefix + message]),
  );
  const secret = schemaOf("io.k8s.api.core.v1.Secret");
  assert.equal(
    refusalOf(() => checkFields({ data: { a: "%%%" } }, secret, { mode: "Ignore" })),
    "illegal base64 data at input byte 0",
  );
});

test("checkFields() drops nulls and makes quantities and times canonical", () => {
  const value = {
    metadata: { creationTimestamp: "2024-01-01T02:00:00.5+02:00", labels: { a: null }, name: null },
    spec: {
      replicas: null,
      template: {
        spec: {
          containers: [
            {
              resources: { limits: { cpu: 0.5, memory: "1024Mi" }, requests: null },
              livenessProbe: { httpGet: { port: "http" }, periodSeconds: 3 },
            },
          ],
        },
      },
    },
  };
  const frozen = structuredClone(value);
  assert.deepEqual(checkFields(value, deployment, { mode: "Strict" }).object, {
    metadata: { creationTimestamp: "2024-01-01T00:00:00Z", labels: { a: "" } },
    spec: {
      template: {
        spec: {
          containers: [
            {
              resources: { limits: { cpu: "500m", memory: "1Gi" } },
              livenessProbe: { httpGet: { port: "http" }, periodSeconds: 3 },
            },
          ],
        },
      },
    },
  });
  assert.deepEqual(value, frozen, "the input is left as it was");
  const good = { spec: { replicas: 1, template: { spec: { containers: [{ name: "a" }] } } } };
  assert.equal(checkFields(good, deployment, { mode: "Strict" }).object, good);
});

test("pruneUnknown() drops what a structural schema does not name", () => {
  const schema: Schema = {
    type: "object",
    properties: {
      spec: {
        type: "object",
        properties: {
          list: { type: "array", items: { type: "object", properties: { a: { type: "string" } } } },
          open: {
            type: "object",
            preserveUnknownFields: true,
            properties: { b: { type: "object" } },
          },
          map: { type: "object", values: { type: "object", properties: { c: { type: "any" } } } },
          inner: { type: "object", embeddedResource: true, properties: {} },
        },
      },
    },
  };
  const object = {
    apiVersion: "x/v1",
    metadata: { name: "n" },
    extra: 1,
    spec: {
      list: [{ a: "1", z: 1 }],
      open: { any: 1, b: { z: 1 } },
      map: { k: { c: { deep: 1 }, z: 1 } },
      inner: {
        apiVersion: "v1",
        kind: "Pod",
        metadata: { name: "i", labels: { a: "" }, y: 1 },
        z: 1,
      },
    },
  };
  const before = structuredClone(object);
  assert.deepEqual(pruneUnknown(object, schema), {
    object: {
      apiVersion: "x/v1",
      metadata: { name: "n" },
      spec: {
        list: [{ a: "1" }],
        open: { any: 1, b: {} },
        map: { k: { c: { deep: 1 } } },
        inner: { apiVersion: "v1", kind: "Pod", metadata: { name: "i", labels: { a: "" } } },
      },
    },
    unknown: [
      "extra",
      "spec.list[0].z",
      "spec.open.b.z",
      "spec.map.k.z",
      "spec.inner.metadata.y",
      "spec.inner.z",
    ],
  });
  assert.deepEqual(object, before);
});

test("hasDuplicateKeys() sees what the full scan sees", () => {
  const random = seededRandom(5);
  const keys = ['"a"', '"b"', '"\\u0061"', '"c\\""', '"\\\\"', '"{,"'];
  const pick = (): string => keys[Math.floor(random() * keys.length)] ?? "";
  const make = (depth: number): string => {
    const roll = random();
    if (depth === 0 || roll < 0.2) return roll < 0.1 ? pick() : "1";
    const items = Array.from({ length: Math.floor(random() * 3) }, () => make(depth - 1));
    if (roll < 0.4) return `[${items.join(" , ")}]`;
    return `{ ${items.map((item) => `${pick()} : ${item}`).join(",")} }`;
  };
  const seen = { duplicate: 0, unique: 0 };
  for (let round = 0; round < 3000; round++) {
    const text = make(4);
    let again = false;
    scanJson(text, { field: (_pathOf, isAgain) => (again ||= isAgain) }, 100);
    assert.equal(hasDuplicateKeys(text), again, text);
    seen[again ? "duplicate" : "unique"]++;
  }
  assert.ok(seen.duplicate > 100 && seen.unique > 100);
});
