import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "#base/random.ts";
import { createCluster } from "#main/testing.ts";
import { accessOf, send } from "#test/raw-client.ts";
import { assertRefused, configMap, configMaps, keepOne, post } from "#test/refusals.ts";
import type { RefusedCase } from "#test/refusals.ts";

// The texts are upstream's.
const unrecognized = "the object provided is unrecognized (must be of type ConfigMap): ";
const json = `${unrecognized}couldn't get version/kind; json parse error: `;
const asConfigMap = 'ConfigMap in version "v1" cannot be handled as a ConfigMap: ';
const notJsonObject = (what: string, data: string): string =>
  `${json}json: cannot unmarshal ${what} into Go value of type struct ` +
  `{ APIVersion string "json:\\"apiVersion,omitempty\\""; Kind string "json:\\"kind,omitempty\\"" } (${data})`;

type Row = readonly [name: string, request: RefusedCase["request"], message: string];

/** All of them 400 BadRequest. */
const badRequests = (rows: readonly Row[]): RefusedCase[] =>
  rows.map(([name, request, message]) => ({ name, request, status: "400 BadRequest", message }));

const yaml = { type: "application/yaml" };
const withBytes = (before: string, bytes: readonly number[], after: string): Uint8Array =>
  Buffer.concat([Buffer.from(before), Buffer.from(bytes), Buffer.from(after)]);

test("bodies that are no JSON or no object are refused in upstream's words", async () => {
  await using cluster = await createCluster();
  const access = accessOf(cluster.kubeconfig);
  await keepOne(access);
  await assertRefused(
    access,
    badRequests([
      ["nothing", post(""), `${json}unexpected end of JSON input (<empty>)`],
      [
        "half",
        post('{"apiVersion":"v1",'),
        `${json}unexpected end of JSON input ({"apiVersion":"v1",)`,
      ],
      [
        "no quotes",
        post("{x}"),
        `${json}invalid character 'x' looking for beginning of object key string ({x})`,
      ],
      [
        "YAML as JSON",
        post("kind: X"),
        `${json}invalid character 'k' looking for beginning of value (6b696e643a2058)`,
      ],
      ["two values", post("{} {}"), `${json}invalid character '{' after top-level value ({} {})`],
      [
        "a zero byte",
        post("{\0}"),
        `${json}invalid character '\\x00' looking for beginning of object key string ({\0})`,
      ],
      ["an array", post("[]"), notJsonObject("array", "5b5d")],
      ["a string", post('"x"'), notJsonObject("string", "227822")],
      ["a number", post("1"), notJsonObject("number", "31")],
      [
        "deep arrays",
        post("[".repeat(100_000)),
        `${json}exceeded max depth (${"5b".repeat(30)} ...)`,
      ],
      [
        "deep objects",
        post(`${'{"a":'.repeat(100_000)}1${"}".repeat(100_000)}`),
        `${json}exceeded max depth (${'{"a":'.repeat(6)} ...)`,
      ],
    ]),
  );
});

test("bodies that are no YAML are refused, the line named", async () => {
  await using cluster = await createCluster();
  const access = accessOf(cluster.kubeconfig);
  await keepOne(access);
  const reasons: (readonly [number, string])[] = [];
  const bodies: readonly (string | Uint8Array)[] = [
    "a: [1\nb: 2",
    "a:\n\t- b",
    "a: b\n c: d",
    "a: *nothing",
    "kind: Config\0Map",
    withBytes("kind: ConfigMap\nmetadata: {name: x}\ndata: {a: ", [0xff, 0xfe, 0xc0], "}"),
    "[".repeat(100_000),
    "- ".repeat(100_000),
    Array.from({ length: 1_500 }, (_, depth) => `${" ".repeat(depth)}a:`).join("\n"),
  ];
  for (const body of bodies) {
    const { status, object } = await send(access, post(body, yaml));
    const message = String(object.message);
    reasons.push([
      status,
      message.slice(unrecognized.length).replace(/ \([0-9a-f]+( \.\.\.)?\)$/, ""),
    ]);
  }
  deepEqual(reasons, [
    [
      400,
      "yaml: line 2: flow sequence in block collection must be sufficiently indented and end with a ]",
    ],
    [400, "yaml: line 2: tabs are not allowed as indentation"],
    [400, "yaml: line 1: nested mappings are not allowed in compact mappings"],
    [400, "yaml: unresolved alias (the anchor must be set before the alias): nothing"],
    [400, "yaml: control characters are not allowed"],
    [400, "yaml: invalid leading UTF-8 octet"],
    [400, "yaml: exceeded max depth of 1000"],
    [400, "yaml: exceeded max depth of 1000"],
    [400, "yaml: exceeded max depth of 1000"],
  ]);
});

test("fields that are unknown, doubled or of the wrong type are named", async () => {
  await using cluster = await createCluster();
  const access = accessOf(cluster.kubeconfig);
  await keepOne(access);
  const strict = { query: "?fieldValidation=Strict" };
  const pods = "/api/v1/namespaces/default/pods";
  const pod = (priority: string): RefusedCase["request"] =>
    post(
      `{"apiVersion":"v1","kind":"Pod","metadata":{"name":"p"},"spec":{"priority":${priority},"containers":[{"name":"a","image":"x"}]}}`,
      { path: pods },
    );
  const priority = (number: string): string =>
    `Pod in version "v1" cannot be handled as a Pod: json: cannot unmarshal number ${number} into Go struct field PodSpec.spec.priority of type int32`;
  await assertRefused(
    access,
    badRequests([
      [
        "unknown",
        post(configMap("x", { x: 1 }), strict),
        `${asConfigMap}strict decoding error: unknown field "x"`,
      ],
      [
        "doubled",
        post('{"metadata":{"name":"a","name":"b"}}', strict),
        `${asConfigMap}strict decoding error: duplicate field "metadata.name"`,
      ],
      [
        "doubled in YAML",
        post("metadata: {name: a, name: b}", { ...yaml, ...strict }),
        `${asConfigMap}strict decoding error: yaml: unmarshal errors:\n  line 1: key "name" already set in map`,
      ],
      [
        "a number in a map of strings",
        post(configMap("x", { data: { a: 1 } })),
        `${asConfigMap}json: cannot unmarshal number into Go struct field ConfigMap.data of type string`,
      ],
      [
        "an array as metadata",
        post('{"metadata":[]}'),
        `${asConfigMap}json: cannot unmarshal array into Go struct field ConfigMap.metadata of type v1.ObjectMeta`,
      ],
      ["a fraction", pod("1.5"), priority("1.5")],
      ["more than 32 bits", pod("4294967296"), priority("4294967296")],
      ["more than a double", pod("1e999"), priority("Infinity")],
      [
        "kind of another",
        post(configMap("x", { kind: "Secret" })),
        'Secret in version "v1" cannot be handled as a ConfigMap',
      ],
      [
        "version of another",
        post(configMap("x", { apiVersion: "v2" })),
        "the API version in the data (v2) does not match the expected API version (v1)",
      ],
      [
        "another namespace",
        post(configMap("x", { metadata: { name: "x", namespace: "other" } })),
        "the namespace of the provided object does not match the namespace sent on the request",
      ],
    ]),
  );
});

test("field validation warns, or says nothing, as it is asked", async () => {
  await using cluster = await createCluster();
  const access = accessOf(cluster.kubeconfig);
  const body = '{"metadata":{"generateName":"x-"},"data":{"a":"1","a":"2"},"x":1}';
  const warnings = '299 - "duplicate field \\"data.a\\"", 299 - "unknown field \\"x\\""';
  const answers: unknown[] = [];
  for (const query of ["", "?fieldValidation=Warn", "?fieldValidation=Ignore"]) {
    const { status, headers, object } = await send(access, post(body, { query }));
    answers.push([status, headers.warning, object.data, object.x]);
  }
  deepEqual(answers, [
    [201, warnings, { a: "2" }, undefined],
    [201, warnings, { a: "2" }, undefined],
    [201, undefined, { a: "2" }, undefined],
  ]);
});

test("bodies of other types, or too long, are refused as upstream does", async () => {
  await using cluster = await createCluster();
  const access = accessOf(cluster.kubeconfig);
  await keepOne(access);
  const unknownFormat =
    "the body of the request was in an unknown format - accepted media types include: " +
    "application/json, application/yaml, application/vnd.kubernetes.protobuf";
  const types = [
    "text/plain",
    "application/xml",
    "application/cbor",
    "application/x-www-form-urlencoded",
  ];
  await assertRefused(access, [
    ...types.map((type) => ({
      name: type,
      request: post(configMap("x"), { type }),
      status: "415 UnsupportedMediaType",
      message: unknownFormat,
    })),
    {
      name: "4 MiB",
      request: post(configMap("x", { data: { a: "x".repeat(4 << 20) } })),
      status: "413 RequestEntityTooLarge",
      message: "Request entity too large: limit is 3145728",
    },
    {
      name: "4 MiB in chunks",
      request: {
        method: "POST",
        path: configMaps,
        headers: { "content-type": "application/json", "transfer-encoding": "chunked" },
        body: configMap("x", { data: { a: "x".repeat(4 << 20) } }),
      },
      status: "413 RequestEntityTooLarge",
      message: "Request entity too large: limit is 3145728",
    },
    {
      name: "more than a ConfigMap holds",
      request: post(configMap("x", { data: { a: "x".repeat(2 << 20) } })),
      status: "422 Invalid",
      message: 'ConfigMap "x" is invalid: []: Too long: may not be more than 1048576 bytes',
    },
  ]);
});

test("protobuf that is cut short, random or of another kind is refused", async () => {
  await using cluster = await createCluster();
  const access = accessOf(cluster.kubeconfig);
  await keepOne(access);
  const type = "application/vnd.kubernetes.protobuf";
  const magic = [0x6b, 0x38, 0x73, 0];
  const prefixed = (...bytes: readonly number[]): Uint8Array => Uint8Array.of(...magic, ...bytes);
  const noProtobuf =
    "provided data does not appear to be a protobuf message, expected prefix [107 56 115 0]";
  const secret = [...Buffer.from("\n\x0c\n\x02v1\x12\x06Secret")];
  await assertRefused(
    access,
    badRequests([
      ["nothing", post("", { type }), `${unrecognized}empty data (<empty>)`],
      ["JSON", post("{}", { type }), `${unrecognized}${noProtobuf} ({})`],
      ["the prefix alone", post(prefixed(), { type }), `${unrecognized}empty body (6b387300)`],
      [
        "an envelope that ends early",
        post(prefixed(0x0a, 0x7f, 0x76), { type }),
        "Cannot decode the protobuf body: it ends too early",
      ],
      [
        "a length without end",
        post(prefixed(...Array.from({ length: 20 }, () => 0xff)), { type }),
        "Cannot decode the protobuf body: a length has more than five bytes",
      ],
      [
        "another kind",
        post(prefixed(...secret), { type }),
        'Secret in version "v1" cannot be handled as a ConfigMap',
      ],
    ]),
  );
  const random = seededRandom(7);
  for (let round = 0; round < 300; round++) {
    const length = Math.floor(random() * 200);
    const bytes = Array.from({ length }, () => Math.floor(random() * 256));
    const known = [...Buffer.from("\n\x0f\n\x02v1\x12\tConfigMap\x12"), ...bytes];
    const { status, text } = await send(
      access,
      post(prefixed(...(round % 2 ? known : bytes)), { type, query: "?dryRun=All" }),
    );
    if (status !== 400) equal(status, 422, `${bytes.join(" ")}: ${text}`);
  }
});

test("strange names and text come back as they were sent", async () => {
  await using cluster = await createCluster();
  const access = accessOf(cluster.kubeconfig);
  const data =
    '{"__proto__":"a","constructor":"b","toString":"c","hasOwnProperty":"\\u0000 \\ud83d\\ude00 \\u2028"}';
  const made = await send(
    access,
    post(`{"metadata":{"name":"strange"},"data":${data},"__proto__":{"polluted":1}}`),
  );
  equal(made.status, 201, made.text);
  const read = await send(access, { path: `${configMaps}/strange` });
  equal(JSON.stringify(read.object.data), JSON.stringify(JSON.parse(data)));
  equal(({} as Record<string, unknown>).polluted, undefined);
  const replaced = await send(
    access,
    post(withBytes('{"metadata":{"name":"octets"},"data":{"a":"', [0xff, 0x41], '"}}')),
  );
  deepEqual([replaced.status, replaced.object.data], [201, { a: "\ufffdA" }]);
});
