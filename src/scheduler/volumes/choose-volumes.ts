import type {
  Node,
  PersistentVolume,
  PersistentVolumeClaim,
  StorageClass,
} from "#api/generated/types.ts";
import { keyOf, nameOf } from "#api/meta.ts";
import { parseQuantity, compareQuantities } from "#api/quantity.ts";
import { labelSelectorMatcher } from "#api/selector/label-selector.ts";
import { matchesTerm } from "#reconcile/node-selector.ts";
import { classNameOf, satisfyingVolumes, selectedNode } from "#reconcile/volume-binding.ts";
import { classOf, type PodClaims } from "#scheduler/volumes/pod-claims.ts";
import type { Storage } from "#scheduler/volumes/storage.ts";

/** What a pod's claims get on one node. */
export interface VolumeChoice {
  readonly bindings: readonly {
    readonly claim: PersistentVolumeClaim;
    readonly volume: PersistentVolume;
  }[];
  /** Volumes are to be made for these. */
  readonly provisions: readonly PersistentVolumeClaim[];
}

/** What pods that are being bound have taken already. */
export interface Reservations {
  /** Keys of claims by the names of volumes. */
  readonly volumes: ReadonlyMap<string, string>;
  /** Names of nodes by the keys of claims. */
  readonly nodes: ReadonlyMap<string, string>;
}

export interface ClaimSearch {
  readonly bound: readonly (PersistentVolume | undefined)[];
  readonly delayed: readonly {
    readonly claim: PersistentVolumeClaim;
    /** Where a volume is being made for it already. */
    readonly node: string | undefined;
    readonly candidates: readonly PersistentVolume[];
  }[];
}

/** What does not depend on the node, worked out once a pod. */
export function searchFor(
  { bound, delayed }: PodClaims,
  storage: Storage,
  reserved: Reservations,
): ClaimSearch {
  return {
    bound: bound.map((claim) => storage.volume(claim.spec?.volumeName ?? "")),
    delayed: delayed.map((claim) => {
      const key = keyOf(claim);
      const node = claim.metadata.annotations?.[selectedNode] ?? reserved.nodes.get(key);
      const ofClass = node === undefined ? [...storage.volumesOfClass(classNameOf(claim))] : [];
      const mine = ofClass.filter((volume) => reserved.volumes.get(nameOf(volume)) === key);
      const free = ofClass.filter((volume) => !reserved.volumes.has(nameOf(volume)));
      return { claim, node, candidates: satisfyingVolumes(claim, mine.length > 0 ? mine : free) };
    }),
  };
}

/** What the claims get on the node, or upstream's reasons why they get nothing there. */
export function chooseVolumes(
  search: ClaimSearch,
  node: Node,
  storage: Storage,
): VolumeChoice | readonly string[] {
  const reasons: string[] = [];
  const known = search.bound.flatMap((volume) => volume ?? []);
  if (known.some((volume) => !isReachable(volume, node))) {
    reasons.push("node(s) didn't match PersistentVolume's node affinity");
  }
  const choice = chooseDelayed(search, node, storage);
  if (typeof choice === "string") reasons.push(choice);
  if (known.length < search.bound.length) {
    reasons.push("node(s) unavailable due to one or more pvc(s) bound to non-existent pv(s)");
  }
  return reasons.length > 0 || typeof choice === "string" ? reasons : choice;
}

const noVolumes = "node(s) didn't find available persistent volumes to bind";
const noSpace = "node(s) did not have enough free storage";

function chooseDelayed(
  { delayed }: ClaimSearch,
  node: Node,
  storage: Storage,
): VolumeChoice | string {
  const bindings: { claim: PersistentVolumeClaim; volume: PersistentVolume }[] = [];
  const provisions: PersistentVolumeClaim[] = [];
  const taken = new Set<PersistentVolume>();
  for (const { claim, node: chosen, candidates } of delayed) {
    if (chosen !== undefined && chosen !== nameOf(node)) return noVolumes;
    const volume = candidates.find((each) => !taken.has(each) && isReachable(each, node));
    if (volume) {
      taken.add(volume);
      bindings.push({ claim, volume });
    } else provisions.push(claim);
  }
  for (const claim of provisions) {
    const storageClass = classOf(claim, storage);
    if (!storageClass || !canProvision(storageClass, node)) return noVolumes;
    if (!hasCapacity(claim, storageClass, { node, storage })) return noSpace;
  }
  return { bindings, provisions };
}

/** Whether pods of the node can use the volume. */
export function isReachable({ spec }: PersistentVolume, node: Node): boolean {
  const terms = spec?.nodeAffinity?.required?.nodeSelectorTerms;
  return terms === undefined || terms.some((term) => matchesTerm(term, node));
}

const noProvisioner = "kubernetes.io/no-provisioner";

function canProvision({ provisioner, allowedTopologies = [] }: StorageClass, node: Node): boolean {
  if (!provisioner || provisioner === noProvisioner) return false;
  if (allowedTopologies.length === 0) return true;
  return allowedTopologies.some(({ matchLabelExpressions = [] }) =>
    matchLabelExpressions.every(({ key, values }) =>
      values.includes(node.metadata.labels?.[key] ?? ""),
    ),
  );
}

/** Asked only of drivers that say how much room they have. */
function hasCapacity(
  claim: PersistentVolumeClaim,
  { metadata: { name }, provisioner }: StorageClass,
  { node, storage }: { readonly node: Node; readonly storage: Storage },
): boolean {
  const requested = claim.spec?.resources?.requests?.["storage"];
  if (requested === undefined || !storage.csiDriver(provisioner)?.spec.storageCapacity) return true;
  const wanted = parseQuantity(requested);
  for (const { storageClassName, nodeTopology, ...room } of storage.capacities()) {
    const limit = room.maximumVolumeSize ?? room.capacity;
    if (storageClassName !== name || nodeTopology === undefined || limit === undefined) continue;
    if (compareQuantities(parseQuantity(limit), wanted) < 0) continue;
    if (labelSelectorMatcher(nodeTopology).matches(node.metadata.labels)) return true;
  }
  return false;
}
