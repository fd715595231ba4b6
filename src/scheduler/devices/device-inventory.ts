import type {
  AllocationResult,
  DeviceClass,
  ResourceSlice,
  ResourceV1ResourceClaim as ResourceClaim,
} from "#api/generated/types.ts";
import { keyOf, nameOf, parseKey, uidOf } from "#api/meta.ts";
import { deviceClasses, resourceClaims, resourceSlices } from "#api/resources.ts";
import type { Change, Informer } from "#client/informer.ts";
import type { Informers } from "#client/informers.ts";
import { AllocatedDevices, type DevicesInUse } from "#scheduler/devices/allocated-devices.ts";
import { extendedClaimAnnotation } from "#scheduler/devices/extended-claim.ts";
import { PublishedPools } from "#scheduler/devices/pools.ts";
import type { ClusterEvent } from "#scheduler/framework.ts";

/** Devices that are promised to a claim and not yet seen in its status. */
interface Promised {
  readonly allocation: AllocationResult;
  /** The claim's version that has them, once it is written. */
  version?: number;
}

/** What devices there are, and who has them: in the status of claims, or promised by this scheduler. */
export class DeviceInventory {
  readonly synced: Promise<unknown>;
  readonly #claims: Informer<ResourceClaim>;
  readonly #classes: Informer<DeviceClass>;
  readonly #slices: Informer<ResourceSlice>;
  readonly #inUse = new AllocatedDevices();
  readonly #promised = new Map<string, Promised>();
  #pools = new PublishedPools([]);
  #poolsAreOld = true;
  #byResource: ReadonlyMap<string, DeviceClass> | undefined;
  #tell: (event: ClusterEvent) => void = () => {};

  constructor(informers: Informers) {
    this.#claims = informers.of(resourceClaims, ofPods);
    this.#classes = informers.of(deviceClasses);
    this.#slices = informers.of(resourceSlices);
    this.synced = Promise.all(
      [this.#claims, this.#classes, this.#slices].map(({ synced }) => synced),
    );
    this.synced.catch(() => {}); // Whoever waits sees it; a scheduler that ends before it starts does not wait.
  }

  /** Keeps up with the cluster from now on, and says what may help pods that wait. */
  follow(tell: (event: ClusterEvent) => void): Disposable {
    this.#tell = tell;
    const stack = new DisposableStack();
    stack.use(this.#claims.onChange((change) => this.#claimChanged(change)));
    stack.use(
      this.#slices.onChange(() => {
        this.#poolsAreOld = true;
        tell({ kind: "devicesChanged" });
      }),
    );
    stack.use(
      this.#classes.onChange(() => {
        this.#byResource = undefined;
        tell({ kind: "devicesChanged" });
      }),
    );
    return stack;
  }

  get inUse(): DevicesInUse {
    return this.#inUse;
  }

  get pools(): PublishedPools {
    if (this.#poolsAreOld) this.#pools = new PublishedPools(this.#slices.list(), this.#pools);
    this.#poolsAreOld = false;
    return this.#pools;
  }

  readonly claim = (key: string): ResourceClaim | undefined => this.#claims.get(parseKey(key));

  readonly deviceClass = (name: string): DeviceClass | undefined => this.#classes.get({ name });

  /** The class of devices that nodes may have for an extended resource. */
  readonly classOfResource = (name: string): DeviceClass | undefined => {
    this.#byResource ??= classesByResource(this.#classes.list());
    return this.#byResource.get(name);
  };

  /** The claim that was made for the pod's extended resources when it was to be placed before. */
  extendedClaimOf(podUid: string): ResourceClaim | undefined {
    for (const claim of this.#claims.byIndex("extendedOf", podUid)) return claim;
    return undefined;
  }

  /** What was promised to the one is the other's. */
  handOver(from: ResourceClaim, to: ResourceClaim): void {
    const promised = this.#promised.get(uidOf(from));
    if (promised === undefined) return;
    this.promise(to, promised.allocation);
    this.#forget(from, undefined);
  }

  isPromised(claim: ResourceClaim): boolean {
    return this.#promised.has(uidOf(claim));
  }

  /** The devices are the claim's for whoever is placed next. */
  promise(claim: ResourceClaim, allocation: AllocationResult): void {
    this.#promised.set(uidOf(claim), { allocation });
    this.#inUse.set(uidOf(claim), allocation);
  }

  /** The API server has the claim with its devices. */
  kept(claim: ResourceClaim): void {
    const promised = this.#promised.get(uidOf(claim));
    if (promised === undefined) return;
    promised.version = versionOf(claim);
    const seen = this.claim(keyOf(claim));
    if (seen === undefined || versionOf(seen) >= promised.version) this.#forget(claim, seen);
  }

  /** Takes a promise back that was not kept. */
  takeBack(claim: ResourceClaim): void {
    const promised = this.#promised.get(uidOf(claim));
    if (promised === undefined || promised.version !== undefined) return;
    this.#forget(claim, this.claim(keyOf(claim)));
    this.#tell({ kind: "deviceClaimChanged", key: keyOf(claim), isFreed: true });
  }

  /** Resolves when the condition holds, which is asked after every change of a claim. */
  until(condition: () => boolean, signal: AbortSignal): Promise<void> {
    return this.#claims.until(condition, signal);
  }

  #forget(claim: ResourceClaim, seen: ResourceClaim | undefined): void {
    const uid = uidOf(claim);
    this.#promised.delete(uid);
    const isSame = seen?.metadata.uid === uid;
    this.#inUse.set(uid, isSame ? seen?.status?.allocation : undefined);
  }

  #claimChanged(change: Change<ResourceClaim>): void {
    const { kind, object } = change;
    const before = kind === "modified" ? change.old.status : undefined;
    const after = kind === "deleted" ? undefined : object.status;
    const uid = uidOf(object);
    const version = this.#promised.get(uid)?.version;
    if (version !== undefined && versionOf(object) >= version) this.#promised.delete(uid);
    if (kind === "deleted") this.#promised.delete(uid);
    if (!this.#promised.has(uid)) this.#inUse.set(uid, after?.allocation);
    const had = before?.allocation;
    const isFreed = kind === "deleted" || (had !== undefined && after?.allocation === undefined);
    const isSame = kind === "modified" && JSON.stringify(before) === JSON.stringify(after);
    if (!isSame) this.#tell({ kind: "deviceClaimChanged", key: keyOf(object), isFreed });
  }
}

const ofPods = {
  extendedOf: ({ metadata }: ResourceClaim): readonly string[] =>
    metadata.annotations?.[extendedClaimAnnotation] === "true"
      ? (metadata.ownerReferences ?? []).map(({ uid }) => uid)
      : [],
};

/** Of classes for the same resource the newest counts, and of those of one second the first by name. */
function classesByResource(classes: Iterable<DeviceClass>): ReadonlyMap<string, DeviceClass> {
  const byResource = new Map<string, DeviceClass>();
  const madeAt = ({ metadata }: DeviceClass) => Date.parse(metadata.creationTimestamp ?? "");
  const oldestFirst = [...classes].toSorted(
    (one, other) => madeAt(one) - madeAt(other) || (nameOf(one) < nameOf(other) ? 1 : -1),
  );
  for (const deviceClass of oldestFirst) {
    const { extendedResourceName } = deviceClass.spec;
    byResource.set(`deviceclass.resource.kubernetes.io/${nameOf(deviceClass)}`, deviceClass);
    if (extendedResourceName) byResource.set(extendedResourceName, deviceClass);
  }
  return byResource;
}

function versionOf({ metadata }: ResourceClaim): number {
  return Number(metadata.resourceVersion);
}
