import type {
  AllocationResult,
  Pod,
  ResourceV1ResourceClaim as ResourceClaim,
} from "#api/generated/types.ts";
import { keyOf, uidOf } from "#api/meta.ts";
import { isConflict, isNotFound } from "#api/status.ts";
import type { Log } from "#base/log.ts";
import { randomUid, type Random } from "#base/random.ts";
import { matchesTerm } from "#reconcile/node-selector.ts";
import { allocate } from "#scheduler/devices/allocator.ts";
import { deallocate, unbindClaim } from "#scheduler/devices/bind-claims.ts";
import {
  bindPodClaims,
  type PodBinder,
  type ReservedClaims,
} from "#scheduler/devices/bind-pod-claims.ts";
import { readinessOf } from "#scheduler/devices/binding-conditions.ts";
import type { DeviceInventory } from "#scheduler/devices/device-inventory.ts";
import {
  deleteExtendedClaim,
  ExtendedClaims,
  type BackedResources,
  type ExtendedClaim,
} from "#scheduler/devices/extended-claim.ts";
import { deviceClaimsOf } from "#scheduler/devices/pod-device-claims.ts";
import { Selectors } from "#scheduler/devices/selectors.ts";
import { wishesOf, type ClaimWishes } from "#scheduler/devices/wishes.ts";
import {
  normalizeByMax,
  type CycleState,
  type PendingPod,
  type Plugin,
  type Rejection,
} from "#scheduler/framework.ts";
import type { NodeState } from "#scheduler/node-state.ts";

const name = "DynamicResources";

export interface DynamicResourcesParts extends PodBinder {
  readonly random: Random;
  readonly log: Log;
}

/** What is known of the claims of the pod that is being placed. */
interface PodDevices {
  readonly claims: readonly ResourceClaim[];
  /** Those that have no devices yet. */
  readonly wanted: readonly ClaimWishes[];
  /** Set where extended resources that the pod asks for may be devices. */
  readonly extended: ExtendedClaims | undefined;
  /** The claim for these of an earlier attempt, which must go first. */
  readonly stale: ResourceClaim | undefined;
  /** By node name. */
  readonly found: Map<string, FoundDevices>;
  /** Those whose devices are of no use on one of the nodes. */
  readonly unusable: Set<ResourceClaim>;
}

interface FoundDevices {
  /** In the order of `wanted`, and then those of `extended`. */
  readonly allocations: readonly AllocationResult[];
  readonly extended: ExtendedClaim | undefined;
}

/**
 * Places pods where their resource claims have devices or can get some. Devices that are chosen for a pod are kept from
 * others at once; they are written into the claim before the pod is bound.
 */
export function createDynamicResources(parts: DynamicResourcesParts): Plugin {
  const { clock, devices, log } = parts;
  const selectors = new Selectors();
  const reserved = new WeakMap<PendingPod, ReservedClaims>();
  const newShareId = (): string => randomUid(parts.random);

  return {
    name,
    weight: 2,
    preEnqueue: ({ pod }) =>
      !hasClaims(pod) || typeof deviceClaimsOf(pod, devices.claim) !== "string",
    preFilter(pending, state) {
      const { pod } = pending;
      const backed = backedResources(pending, devices);
      if (!hasClaims(pod) && backed === undefined) return "skip";
      const claims = deviceClaimsOf(pod, devices.claim);
      if (typeof claims === "string") return rejection(claims);
      if (claims.length === 0 && backed === undefined) return "skip";
      const wanted: ClaimWishes[] = [];
      for (const claim of claims) {
        if (claim.status?.allocation !== undefined) continue;
        if (devices.isPromised(claim)) {
          return rejection(`resource claim ${keyOf(claim)} is in the process of being allocated`);
        }
        const wishes = wishesOf(claim, devices.deviceClass);
        if (typeof wishes === "string") return rejection(wishes);
        wanted.push(wishes);
      }
      const known: PodDevices = {
        claims,
        wanted,
        extended: backed && new ExtendedClaims(pod, backed),
        stale: backed && devices.extendedClaimOf(uidOf(pod)),
        found: new Map(),
        unusable: new Set(),
      };
      state.set(name, known);
      return undefined;
    },
    filter(_pod, node, state) {
      const known = stateOf(state);
      if (known === undefined) return undefined;
      const { claims, wanted, found, stale, unusable } = known;
      if (stale) return rejection("cannot schedule extended resource claim");
      const away = claims.filter((claim) => !isUsableOn(claim, node.node, clock.now()));
      for (const claim of away) unusable.add(claim);
      if (away.length > 0) return rejection("resourceclaim not available on the node");
      const extended = known.extended?.on(node);
      if (typeof extended === "string") return rejection(extended);
      const all = extended ? [...wanted, extended.wishes] : wanted;
      if (all.length === 0) return undefined;
      const { pools, inUse } = devices;
      const outcome = allocate({ claims: all, pools, inUse, selectors, newShareId }, node.node);
      if (outcome.kind === "none") return rejection(outcome.reason);
      found.set(node.name, { allocations: outcome.allocations, extended });
      return undefined;
    },
    async postFilter({ pod: { pod }, state, signal }) {
      const known = stateOf(state);
      if (known === undefined) return hasClaims(pod) ? "no new claims to deallocate" : undefined;
      if (known.stale) {
        await deleteExtendedClaim({ ...parts, signal }, known.stale, pod);
        return "deletion of ResourceClaim completed";
      }
      for (const claim of known.unusable) {
        const users = claim.status?.reservedFor ?? [];
        if (users.some(({ uid }) => uid !== uidOf(pod))) continue;
        try {
          await deallocate({ ...parts, signal }, claim);
        } catch (error) {
          // Whoever wrote it may use it now; the change says when to look again.
          if (!isConflict(error) && !isNotFound(error)) throw error;
        }
        return "deallocation of ResourceClaim completed";
      }
      return "still not schedulable";
    },
    preScore: (_pod, _nodes, state) => (hasAlternatives(stateOf(state)) ? undefined : "skip"),
    score: (_pod, node, state) => scoreOf(stateOf(state), node),
    normalize: (scores) => normalizeByMax(scores),
    reserve(pending, nodeName, state) {
      const known = stateOf(state);
      if (known === undefined) return undefined;
      const found = known.found.get(nodeName);
      if (found === undefined && known.wanted.length > 0) {
        return rejection("claim allocation not found for node");
      }
      const allocations = new Map<string, AllocationResult>();
      const { extended } = found ?? {};
      const wanted = extended ? [...known.wanted, extended.wishes] : known.wanted;
      for (const [index, { claim }] of wanted.entries()) {
        const allocation = found?.allocations[index];
        if (allocation === undefined) continue;
        devices.promise(claim, allocation);
        allocations.set(uidOf(claim), allocation);
      }
      reserved.set(pending, { claims: known.claims, allocations, bound: [], extended });
      return undefined;
    },
    unreserve(pending) {
      const own = reserved.get(pending);
      reserved.delete(pending);
      for (const claim of own?.claims ?? []) {
        if (own?.allocations.has(uidOf(claim))) devices.takeBack(claim);
      }
      if (own?.extended) devices.takeBack(own.made ?? own.extended.wishes.claim);
      for (const claim of own?.bound ?? []) {
        const giveBack = claim === own?.made ? deleteExtendedClaim : unbindClaim;
        giveBack(parts, claim, pending.pod).catch((error: unknown) => {
          if (!parts.signal.aborted)
            log.warn("claim not given back", { claim: keyOf(claim), error });
        });
      }
    },
    preBind(pending, { nodeName, signal }) {
      const own = reserved.get(pending);
      return own && bindPodClaims({ ...parts, signal }, own, { pod: pending.pod, nodeName });
    },
    helpedBy(event, { pod }) {
      if (event.kind === "nodeAdded" || event.kind === "devicesChanged") return true;
      if (event.kind === "nodeChanged") {
        return event.changes.has("labels") || event.changes.has("allocatable");
      }
      if (event.kind !== "deviceClaimChanged") return false;
      const claims = deviceClaimsOf(pod, devices.claim);
      if (typeof claims === "string") return false;
      return event.isFreed || claims.some((claim) => keyOf(claim) === event.key);
    },
  };
}

/** Undefined for nearly all pods: they ask for nothing that could be a device. */
function backedResources(
  { placed }: PendingPod,
  devices: DeviceInventory,
): BackedResources | undefined {
  const { others } = placed.amounts.requests;
  if (others.size === 0) return undefined;
  const backed = [...others].flatMap(([resource, amount]) => {
    const deviceClass = amount > 0 ? devices.classOfResource(resource) : undefined;
    return deviceClass ? [[resource, deviceClass] as const] : [];
  });
  return backed.length === 0 ? undefined : new Map(backed);
}

function hasClaims({ spec }: Pod): boolean {
  return (spec?.resourceClaims?.length ?? 0) > 0;
}

function rejection(reason: string): Rejection {
  return { reasons: [reason], unresolvable: true };
}

function stateOf(state: CycleState): PodDevices | undefined {
  return state.get(name) as PodDevices | undefined;
}

/** A claim without devices can have some anywhere. */
function isUsableOn(claim: ResourceClaim, node: NodeState["node"], nowMs: number): boolean {
  const { allocation } = claim.status ?? {};
  if (allocation === undefined) return true;
  const terms = allocation.nodeSelector?.nodeSelectorTerms;
  if (terms && !terms.some((term) => matchesTerm(term, node))) return false;
  return typeof readinessOf(claim, nowMs) !== "object";
}

/** Alternatives of one request at most: upstream's. */
const alternativesMax = 8;

function hasAlternatives(known: PodDevices | undefined): boolean {
  return (
    known?.claims.some(({ spec }) =>
      spec?.devices?.requests?.some(({ firstAvailable }) => firstAvailable?.length),
    ) ?? false
  );
}

/** The better the alternatives are that the node has, the more. */
function scoreOf(known: PodDevices | undefined, { name: nodeName }: NodeState): number {
  if (known === undefined) return 0;
  const found = known.found.get(nodeName)?.allocations ?? [];
  let score = 0;
  for (const claim of known.claims) {
    const index = known.wanted.findIndex((wishes) => wishes.claim === claim);
    const allocation = index < 0 ? claim.status?.allocation : found[index];
    const taken = new Set(allocation?.devices?.results?.map(({ request }) => request));
    for (const { name: request, firstAvailable = [] } of claim.spec?.devices?.requests ?? []) {
      for (const [rank, alternative] of firstAvailable.entries()) {
        if (taken.has(`${request}/${alternative.name}`)) score += alternativesMax - rank;
      }
    }
  }
  return score;
}
