import { keyOf, nameOf } from "#api/meta.ts";
import type { CycleState, PendingPod, Plugin, Rejection } from "#scheduler/framework.ts";
import { bindVolumes, type VolumeBinderParts } from "#scheduler/volumes/bind-volumes.ts";
import {
  chooseVolumes,
  searchFor,
  type ClaimSearch,
  type VolumeChoice,
} from "#scheduler/volumes/choose-volumes.ts";
import { podClaims } from "#scheduler/volumes/pod-claims.ts";

const name = "VolumeBinding";

/** Upstream's. */
export const bindTimeoutMsDefault = 600_000;

interface VolumeState {
  readonly search: ClaimSearch;
  /** By node name. */
  readonly choices: Map<string, VolumeChoice>;
}

/**
 * Places pods where their volumes can be used. Claims that waited for the pod get a volume on its node: one that is
 * there, or one that is made. What is chosen for a pod is kept from others until the claims are bound.
 */
export function createVolumeBinding(parts: VolumeBinderParts): Plugin {
  const { storage } = parts;
  const reserved = { volumes: new Map<string, string>(), nodes: new Map<string, string>() };
  const chosen = new Map<string, VolumeChoice>();

  const release = ({ placed: { uid } }: PendingPod): void => {
    const choice = chosen.get(uid);
    chosen.delete(uid);
    for (const { volume } of choice?.bindings ?? []) reserved.volumes.delete(nameOf(volume));
    for (const claim of choice?.provisions ?? []) reserved.nodes.delete(keyOf(claim));
  };

  return {
    name,
    preFilter({ pod }, state) {
      const claims = podClaims(pod, storage);
      if (claims === undefined) return "skip";
      if (typeof claims === "string") return { reasons: [claims], unresolvable: true };
      const search = searchFor(claims, storage, reserved);
      state.set(name, { search, choices: new Map() } satisfies VolumeState);
      return undefined;
    },
    filter(_pod, { name: nodeName, node }, state): Rejection | undefined {
      const known = stateOf(state);
      if (known === undefined) return undefined;
      const choice = chooseVolumes(known.search, node, storage);
      if (!("bindings" in choice)) return { reasons: choice, unresolvable: true };
      known.choices.set(nodeName, choice);
      return undefined;
    },
    reserve({ placed: { uid } }, nodeName, state) {
      const choice = stateOf(state)?.choices.get(nodeName);
      if (!choice || choice.bindings.length + choice.provisions.length === 0) return undefined;
      chosen.set(uid, choice);
      for (const { volume, claim } of choice.bindings) {
        reserved.volumes.set(nameOf(volume), keyOf(claim));
      }
      for (const claim of choice.provisions) reserved.nodes.set(keyOf(claim), nodeName);
      return undefined;
    },
    unreserve: release,
    preBind(pending, { nodeName, signal }) {
      const choice = chosen.get(pending.placed.uid);
      if (choice === undefined) return undefined;
      const volumes = { pod: pending.pod, nodeName, choice };
      return bindVolumes(parts, volumes, signal).then(() => release(pending));
    },
    helpedBy(event, { placed }) {
      switch (event.kind) {
        case "nodeAdded":
          return true;
        case "nodeChanged":
          return event.changes.has("labels");
        case "claimChanged":
          return placed.claims.includes(event.key);
        case "storageChanged":
          return event.what !== "attachment" && event.what !== "csiNode";
        default:
          return false;
      }
    },
  };
}

function stateOf(state: CycleState): VolumeState | undefined {
  return state.get(name) as VolumeState | undefined;
}
