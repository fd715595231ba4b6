import type {
  ContainerExtendedResourceRequest,
  DeviceClass,
  DeviceRequest,
  Pod,
  ResourceV1ResourceClaim as ResourceClaim,
} from "#api/generated/types.ts";
import { nameOf, namespaceOf, uidOf } from "#api/meta.ts";
import { pods, resourceClaims } from "#api/resources.ts";
import { deleteThis } from "#reconcile/delete-this.ts";
import { controllerRefTo } from "#reconcile/owners.ts";
import { unbindClaim, type ClaimWriter } from "#scheduler/devices/bind-claims.ts";
import { extendedRequests } from "#scheduler/devices/extended-requests.ts";
import { wishesOf, type ClaimWishes } from "#scheduler/devices/wishes.ts";
import type { NodeState } from "#scheduler/node-state.ts";

/** The claim that a pod gets for extended resources that are devices; made when its node is chosen. */
export interface ExtendedClaim {
  readonly wishes: ClaimWishes;
  readonly mappings: readonly ContainerExtendedResourceRequest[];
}

export const extendedClaimAnnotation = "resource.kubernetes.io/extended-resource-claim";

/** Extended resources of a pod that some nodes have as devices, and the classes of these. */
export type BackedResources = ReadonlyMap<string, DeviceClass>;

/** Works out what the pod needs of each node: resources that a device plugin there counts are not devices. */
export class ExtendedClaims {
  readonly #pod: Pod;
  readonly #backed: BackedResources;
  /** By the resources that are devices on a node: most nodes are alike. */
  readonly #known = new Map<string, ExtendedClaim | string | undefined>();

  constructor(pod: Pod, backed: BackedResources) {
    this.#pod = pod;
    this.#backed = backed;
  }

  /** Undefined where the node has none of them as devices; a text says why it can never be. */
  on({ allocatable }: NodeState): ExtendedClaim | string | undefined {
    const names = [...this.#backed.keys()].filter((name) => !allocatable.others.get(name));
    const key = names.join();
    if (!this.#known.has(key)) this.#known.set(key, this.#claimFor(names));
    return this.#known.get(key);
  }

  #claimFor(names: readonly string[]): ExtendedClaim | string | undefined {
    if (names.length === 0) return undefined;
    const backed = [...this.#backed].filter(([resource]) => names.includes(resource));
    const classNames = new Map(backed.map(([resource, one]) => [resource, nameOf(one)]));
    const { requests, mappings } = extendedRequests(this.#pod, classNames);
    const classes = new Map(backed.map(([, one]) => [nameOf(one), one]));
    const wishes = wishesOf(claimOf(this.#pod, requests), (name) => classes.get(name));
    return typeof wishes === "string" ? wishes : { wishes, mappings };
  }
}

/** Until it is made it goes by upstream's name, and by the pod's uid, which no claim has. */
function claimOf(pod: Pod, requests: readonly DeviceRequest[]): ResourceClaim {
  return {
    apiVersion: "resource.k8s.io/v1",
    kind: "ResourceClaim",
    metadata: {
      name: "<extended-resources>",
      generateName: `${nameOf(pod)}-extended-resources-`,
      namespace: namespaceOf(pod),
      uid: uidOf(pod),
      annotations: { [extendedClaimAnnotation]: "true" },
      ownerReferences: [controllerRefTo(pods, pod)],
    },
    spec: { devices: { requests } },
  };
}

/** Makes the claim, as yet without devices. */
export function createExtendedClaim(
  { client, signal }: ClaimWriter,
  { wishes }: ExtendedClaim,
): Promise<ResourceClaim> {
  const { uid: _uid, name: _name, ...metadata } = wishes.claim.metadata;
  return client.create(resourceClaims, { ...wishes.claim, metadata }, { signal });
}

/** Tells the pod's node which devices stand for which resources. */
export async function tellExtendedClaim(
  { client, signal }: ClaimWriter,
  pod: Pod,
  { claim, mappings }: { claim: ResourceClaim; mappings: ExtendedClaim["mappings"] },
): Promise<void> {
  const at = { namespace: namespaceOf(pod), name: nameOf(pod) };
  const told = { resourceClaimName: nameOf(claim), requestMappings: mappings };
  const value = {
    metadata: { uid: uidOf(pod) },
    status: { extendedResourceClaimStatus: told },
  };
  await client.patch(pods, at, { kind: "merge", value }, { subresource: "status", signal });
}

/** The claim goes, and its devices with it. */
export async function deleteExtendedClaim(
  writer: ClaimWriter,
  claim: ResourceClaim,
  pod: Pod,
): Promise<void> {
  await unbindClaim(writer, claim, pod);
  const { client, signal } = writer;
  await deleteThis(client, { resource: resourceClaims, object: claim }, { signal });
}
