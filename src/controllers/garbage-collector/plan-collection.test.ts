import { deepEqual } from "node:assert/strict";
import { test } from "node:test";
import {
  planCollection,
  type CollectionAction,
  type ObservedDependent,
  type OwnerState,
} from "#controllers/garbage-collector/plan-collection.ts";

test("planCollection() decides as upstream's garbage collector", () => {
  const owners = (...states: OwnerState[]): ObservedDependent["owners"] =>
    states.map((state, index) => ({
      reference: { apiVersion: "v1", kind: "K", name: "n", uid: `u${index}` },
      state,
    }));
  const plan = (states: OwnerState[], more: Partial<ObservedDependent> = {}): CollectionAction =>
    planCollection({
      owners: owners(...states),
      hasDependents: false,
      dependentWaits: false,
      finalizers: [],
      ...more,
    });
  const background = { kind: "delete", policy: "Background", unblock: false };
  const cases: [CollectionAction, unknown][] = [
    [plan([]), { kind: "keep" }],
    [plan(["solid"]), { kind: "keep" }],
    [plan(["absent"]), background],
    [plan(["solid", "absent", "waiting"]), { kind: "dropOwners", uids: ["u1", "u2"] }],
    [plan(["waiting"]), background],
    [
      plan(["waiting"], { hasDependents: true }),
      { kind: "delete", policy: "Foreground", unblock: false },
    ],
    [
      plan(["waiting", "absent"], { hasDependents: true, dependentWaits: true }),
      { kind: "delete", policy: "Foreground", unblock: true },
    ],
    [plan(["absent"], { finalizers: ["orphan"] }), { ...background, policy: "Orphan" }],
    [
      plan(["absent"], { finalizers: ["foregroundDeletion"] }),
      { ...background, policy: "Foreground" },
    ],
  ];
  deepEqual(
    cases.map(([action]) => action),
    cases.map(([, expected]) => expected),
  );
});
