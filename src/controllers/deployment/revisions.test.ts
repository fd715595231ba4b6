import { equal } from "node:assert/strict";
import { test } from "node:test";
import type { ReplicaSet } from "#api/generated/types.ts";
import { nextRevision, revisionOf } from "#controllers/deployment/revisions.ts";

function noted(revision: string): ReplicaSet {
  const annotations = { "deployment.kubernetes.io/revision": revision };
  return { apiVersion: "apps/v1", kind: "ReplicaSet", metadata: { name: "r", annotations } };
}

test("revisions are 64-bit integers, exactly; what is none counts as no revision", () => {
  equal(nextRevision([noted("3"), noted("3546343826724305832"), noted("7")]), 3546343826724305833n);
  equal(nextRevision([]), 1n);
  equal(revisionOf(noted("first")), 0n);
  equal(revisionOf(noted("99999999999999999999")), 0n);
});
