import assert from "node:assert/strict";
import { test } from "node:test";
import { builtinKinds } from "#api/kinds/builtin-kinds.ts";
import type { Kind, Strategy } from "#api/kind.ts";

/** The names of the built-in kinds whose strategy is so, as upstream's strategies have it. */
function kindsWhere(holds: (strategy: Strategy, kind: Kind) => boolean): readonly string[] {
  const names = builtinKinds().filter((kind) => holds(kind.strategy, kind));
  return [...new Set(names.map(({ group, kind }) => (group === "" ? kind : `${kind}.${group}`)))]
    .map((name) => name.replace(/\.(rbac\.authorization|[a-z]+)\.k8s\.io$/, ""))
    .toSorted();
}

test("an update creates what is not there for these kinds alone", () => {
  assert.deepEqual(
    kindsWhere((strategy) => strategy.createOnUpdate === true),
    [
      "ClusterRole",
      "ClusterRoleBinding",
      "Endpoints",
      "Event",
      "Event",
      "Lease",
      "LimitRange",
      "Role",
      "RoleBinding",
      "RuntimeClass",
      "Service",
    ],
  );
});

test("an update of these kinds must name the version it replaces", () => {
  assert.deepEqual(
    kindsWhere((strategy) => strategy.unconditionalUpdate === false),
    [
      "APIService",
      "CSIDriver",
      "CSINode",
      "CSIStorageCapacity",
      "CustomResourceDefinition",
      "Lease",
      "MutatingAdmissionPolicy",
      "MutatingAdmissionPolicyBinding",
      "MutatingWebhookConfiguration",
      "PodDisruptionBudget.policy",
      "RuntimeClass",
      "ValidatingAdmissionPolicy",
      "ValidatingAdmissionPolicyBinding",
      "ValidatingWebhookConfiguration",
      "VolumeAttachment",
    ],
  );
});
