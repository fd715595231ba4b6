import type { ReplicaSet, ReplicationController } from "#api/generated/types.ts";
import { replicationControllers } from "#api/resources.ts";
import type { ControllerKit } from "#controllers/parts.ts";
import { createReplicaController } from "#controllers/replica-set/replica-set-controller.ts";
import type { Controller } from "#reconcile/controller.ts";

/** Keeps as many pods running as a ReplicationController wants: a ReplicaSet with a plain map for a selector. */
export function createReplicationController(kit: ControllerKit): Controller {
  return createReplicaController(kit, {
    resource: replicationControllers,
    name: "replicationcontroller",
    writes: "replicationcontrollers",
    asReplicaSet,
    statusOf: ({ terminatingReplicas: _unknownHere, ...status }) => status,
  });
}

function asReplicaSet({ metadata, spec, status }: ReplicationController): ReplicaSet {
  const { selector, template, ...rest } = spec ?? {};
  return {
    // Its own kind: what is said of it, in events and references, is said of what it is.
    apiVersion: "v1",
    kind: "ReplicationController",
    metadata,
    // Without a selector it takes nothing.
    spec: {
      ...rest,
      selector: selector ? { matchLabels: selector } : { matchLabels: { "": "" } },
      ...(template && { template }),
    },
    ...(status && { status }),
  };
}
