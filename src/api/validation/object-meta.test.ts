import assert from "node:assert/strict";
import test from "node:test";
import type { NameRule } from "#api/kind.ts";
import { nameProblems, prefixProblems } from "#api/names.ts";
import { validateObjectMeta, validateObjectMetaUpdate } from "#api/validation/object-meta.ts";

const rules = { namespaced: true, nameRule: "dns1123Subdomain" } as const;
const owner = { apiVersion: "v1", kind: "Pod", name: "p", uid: "u" };

const subdomain =
  "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', and must start and end with an alphanumeric character (e.g. 'example.com', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?(\\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*')";
const qualified =
  "name part must consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyName',  or 'my.name',  or '123-abc', regex used for validation is '([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9]')";

const cases: readonly (readonly [title: string, metadata: object, problems: readonly string[]])[] =
  [
    [
      "nothing wrong",
      { name: "a", labels: { "x.y/z": "" }, annotations: { UPPER: "é" }, ownerReferences: [owner] },
      [],
    ],
    ["no name", {}, ["metadata.name: Required value: name or generateName is required"]],
    [
      "a name that climbs",
      { name: "../x" },
      [`metadata.name: Invalid value: "../x": ${subdomain}`],
    ],
    [
      "a long name",
      { name: "a".repeat(254) },
      [`metadata.name: Invalid value: "${"a".repeat(254)}": must be no more than 253 characters`],
    ],
    ["a generated name's dash", { name: "a-x", generateName: "a-" }, []],
    [
      "a wrong namespace",
      { name: "a", namespace: "B" },
      [
        "metadata.namespace: Invalid value: \"B\": a lowercase RFC 1123 label must consist of lower case alphanumeric characters or '-', and must start and end with an alphanumeric character (e.g. 'my-name',  or '123-abc', regex used for validation is '[a-z0-9]([-a-z0-9]*[a-z0-9])?')",
      ],
    ],
    [
      "wrong labels",
      { name: "a", labels: { "": "-", "/b": "" } },
      [
        `metadata.labels: Invalid value: "": name part must be non-empty`,
        `metadata.labels: Invalid value: "": ${qualified}`,
        "metadata.labels: Invalid value: \"-\": a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', and must start and end with an alphanumeric character (e.g. 'MyValue',  or 'my_value',  or '12345', regex used for validation is '(([A-Za-z0-9][-A-Za-z0-9_.]*)?[A-Za-z0-9])?')",
        'metadata.labels: Invalid value: "/b": prefix part must be non-empty',
      ],
    ],
    [
      "too much annotated",
      { name: "a", annotations: { a: "x".repeat(262_144) } },
      ["metadata.annotations: Too long: may not be more than 262144 bytes"],
    ],
    [
      "two controllers",
      {
        name: "a",
        ownerReferences: [
          { ...owner, controller: true },
          { ...owner, name: "q", uid: "", controller: true },
        ],
      },
      [
        'metadata.ownerReferences.uid: Invalid value: "": must not be empty',
        `metadata.ownerReferences: Invalid value: [{"apiVersion":"v1","kind":"Pod","name":"p","uid":"u","controller":true},{"apiVersion":"v1","kind":"Pod","name":"q","uid":"","controller":true}]: Only one reference can have Controller set to true. Found "true" in references for Pod/p and Pod/q`,
      ],
    ],
    [
      "conflicting finalizers",
      { name: "a", finalizers: ["orphan", "foregroundDeletion"] },
      [
        'metadata.finalizers: Invalid value: ["orphan","foregroundDeletion"]: finalizer orphan and foregroundDeletion cannot be both set',
      ],
    ],
  ];

for (const [title, metadata, problems] of cases) {
  test(`validateObjectMeta() finds ${title}`, () => {
    const object = { metadata: { namespace: "default", ...metadata } };
    const found = validateObjectMeta(object, rules);
    assert.deepEqual(
      found.map((cause) => `${cause.field}: ${cause.message}`),
      problems,
    );
  });
}

test("validateObjectMeta() refuses a namespace where the kind has none", () => {
  const found = validateObjectMeta(
    { metadata: { name: "a", namespace: "b" } },
    { ...rules, namespaced: false },
  );
  assert.deepEqual(found, [
    {
      reason: "FieldValueForbidden",
      message: "Forbidden: not allowed on this type",
      field: "metadata.namespace",
    },
  ]);
});

test("validateObjectMetaUpdate() keeps identity, time and finalizers of what is being deleted", () => {
  const old = {
    name: "a",
    uid: "u",
    resourceVersion: "1",
    generation: 2,
    deletionTimestamp: "2026-01-01T00:00:00Z",
    finalizers: ["x.y/a"],
  };
  const now = { ...old, name: "b", generation: 1, finalizers: ["x.y/b"], resourceVersion: "" };
  const found = validateObjectMetaUpdate({ metadata: now }, { metadata: old });
  assert.deepEqual(
    found.map((cause) => `${cause.field}: ${cause.message}`),
    [
      'metadata.finalizers: Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers []string{"x.y/b"}',
      'metadata.resourceVersion: Invalid value: "": must be specified for an update',
      "metadata.generation: Invalid value: 1: must not be decremented",
      'metadata.name: Invalid value: "b": field is immutable',
    ],
  );
  assert.deepEqual(validateObjectMetaUpdate({ metadata: old }, { metadata: old }), []);
});

test("nameProblems() lets only names through that stay one path segment", () => {
  const rulesToTry: readonly NameRule[] = [
    "dns1123Subdomain",
    "dns1123Label",
    "dns1035Label",
    "pathSegment",
  ];
  for (const rule of rulesToTry) {
    for (const name of [".", "..", "a/b", "../a", "a%2fb", "/"]) {
      assert.notDeepEqual(nameProblems(rule, name), [], `${rule} ${name}`);
    }
  }
  assert.deepEqual(nameProblems("pathSegment", "system:node:Ä b"), []);
  assert.deepEqual(nameProblems("dns1123Label", "a.b"), ["must not contain dots"]);
  assert.deepEqual(nameProblems("dns1035Label", "a1"), []);
  assert.equal(nameProblems("dns1035Label", "1a").length, 1);
  assert.deepEqual(prefixProblems("dns1123Label", "web-"), []);
});
