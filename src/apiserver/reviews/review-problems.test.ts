import assert from "node:assert/strict";
import { test } from "node:test";
import { reviewProblems } from "#apiserver/reviews/review-problems.ts";

test("reviewProblems() finds what upstream finds, in its words", () => {
  const found = (...parameters: Parameters<typeof reviewProblems>): readonly string[] =>
    reviewProblems(...parameters).map(({ field, message }) => `${field}: ${message}`);
  const resourceAttributes = { namespace: "a", verb: "get", resource: "pods" };
  const nonResourceAttributes = { path: "/", verb: "get" };
  const user = "u";
  assert.deepEqual(found({ spec: {} }, { ofSubject: true }), [
    "spec.resourceAttributes: Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified",
    'spec.user: Invalid value: "": at least one of user or group must be specified',
  ]);
  const both = { spec: { resourceAttributes, nonResourceAttributes }, metadata: { name: "x" } };
  assert.deepEqual(found(both, { ofSubject: false }), [
    'spec.nonResourceAttributes: Invalid value: {"path":"/","verb":"get"}: cannot be specified in combination with resourceAttributes',
    'metadata: Invalid value: {"name":"x"}: must be empty',
  ]);
  const local = { ofSubject: true, namespace: "b" };
  const named = { metadata: { namespace: "b" } };
  assert.deepEqual(found({ ...named, spec: { user, resourceAttributes } }, local), [
    'spec.resourceAttributes.namespace: Invalid value: "a": must match metadata.namespace',
  ]);
  assert.deepEqual(found({ ...named, spec: { user, nonResourceAttributes } }, local), [
    'spec.nonResourceAttributes: Invalid value: {"path":"/","verb":"get"}: disallowed on this kind of request',
  ]);
});
