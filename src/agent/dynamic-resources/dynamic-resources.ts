import { join } from "node:path";
import type { Container, Pod, ResourceStatus } from "#api/generated/types.ts";
import { namespaceOf, uidOf } from "#api/meta.ts";
import { resourceClaims } from "#api/resources.ts";
import type { Log } from "#base/log.ts";
import type { Clock } from "#base/clock.ts";
import type { Client } from "#client/client.ts";
import { ClaimCheckpoint, type ClaimRecord } from "#agent/dynamic-resources/claim-checkpoint.ts";
import { ClaimLocks } from "#agent/dynamic-resources/claim-locks.ts";
import type { ClaimMetrics } from "#agent/dynamic-resources/claim-metrics.ts";
import { claimsOf, driversFor, usesOf } from "#agent/dynamic-resources/claims-of-pod.ts";
import type { DeviceHealth } from "#agent/dynamic-resources/device-health.ts";
import type { DraCalls, PreparedDevice } from "#agent/dynamic-resources/dra-plugin.ts";
import { claimStatuses } from "#agent/dynamic-resources/claim-statuses.ts";

export interface DynamicResourcesParts {
  /** The node's folder; the claims are written down in it. */
  readonly dataDir: string;
  readonly client: Pick<Client, "get">;
  readonly clock: Clock;
  readonly log: Log;
  /** The plugin of a driver; throws when there is none. */
  readonly driver: (name: string) => DraCalls;
  readonly health: Pick<DeviceHealth, "of">;
  readonly metrics: Pick<ClaimMetrics, "operation">;
  /** Whether the pod of this uid may still run something here. */
  readonly isKnown: (podUid: string) => boolean;
}

/** What a container has of a claim, as monitoring asks for it. */
export interface ContainerClaim {
  readonly claimName: string;
  readonly claimNamespace: string;
  readonly claimResources: readonly {
    readonly cdiDevices: readonly { readonly name: string }[];
    readonly driverName: string;
    readonly poolName: string;
    readonly deviceName: string;
    readonly shareId?: string;
  }[];
}

const anyDriver = "<any>";
const firstRetryMs = 1000;
const retryMsMax = 120_000;

/**
 * The claims that pods of this node use: prepared by their drivers before the first pod of each starts, given back after
 * the last has ended, also when that happened while no agent ran. What is prepared twice or given back twice does no
 * harm: drivers are made so.
 */
export class DynamicResources implements Disposable {
  readonly #parts: DynamicResourcesParts;
  readonly #checkpoint: ClaimCheckpoint;
  #claims: ReadonlyMap<string, ClaimRecord> = new Map();
  /** Those whose drivers have answered since this agent runs: a new agent asks again before a pod starts anew. */
  readonly #prepared = new Set<string>();
  readonly #locks = new ClaimLocks();
  #reconciling: Promise<void> | undefined;
  #reconcileAgain = false;
  #retryMs = firstRetryMs;
  #cancelRetry: () => void = () => {};
  #isDisposed = false;

  /** Throws when what is written down of claims cannot be read. */
  constructor(parts: DynamicResourcesParts) {
    this.#parts = parts;
    this.#checkpoint = new ClaimCheckpoint(join(parts.dataDir, "dra_manager_state"));
    this.#claims = new Map(this.#checkpoint.read().map((claim) => [keyOf(claim), claim]));
  }

  /** Has all of a pod's claims prepared. Throws in upstream's words; then the pod may try again. */
  async prepare(pod: Pod, signal?: AbortSignal): Promise<void> {
    if (!usesClaims(pod)) return;
    try {
      await this.#parts.metrics.operation("PrepareResources", async () => {
        const wanted = await this.#wantedBy(pod, signal);
        const keys = wanted.map(keyOf);
        await this.#locks.hold(keys, () => this.#prepare(uidOf(pod), wanted, signal));
      });
    } catch (error) {
      throw new Error(`prepare dynamic resources: ${plain(error)}`, { cause: error });
    }
  }

  /** Whether the pod has a claim that is prepared, or may be. */
  has(podUid: string): boolean {
    return this.#claimsWith(podUid).length > 0;
  }

  /** Gives back what only this pod had. Throws in upstream's words; then it is to be tried again. */
  async unprepare(podUid: string): Promise<void> {
    const keys = this.#claimsWith(podUid).map(keyOf);
    if (keys.length === 0) return;
    try {
      await this.#parts.metrics.operation("UnprepareResources", () =>
        this.#locks.hold(keys, () => this.#unprepare(podUid)),
      );
    } catch (error) {
      throw new Error(`unprepare dynamic resources: ${plain(error)}`, { cause: error });
    }
  }

  /** Gives back what pods have that are not known any more; tries again, ever later, while that fails. */
  reconcile(): Promise<void> {
    this.#reconcileAgain = true;
    this.#reconciling ??= this.#reconcile().finally(() => (this.#reconciling = undefined));
    return this.#reconciling;
  }

  /** Names of the Container Device Interface that a container gets. Throws when a claim is not prepared. */
  cdiDevicesOf(pod: Pod, container: Container): readonly string[] {
    if (!usesClaims(pod)) return [];
    const names = usesOf(pod, container).flatMap(({ claim, request }) => {
      const namespace = namespaceOf(pod);
      const record = this.#claims.get(keyOf({ namespace, name: claim }));
      if (record === undefined) {
        throw new Error(
          `internal error: unable to get claim info for ResourceClaim ${claim} in namespace ${namespace}`,
        );
      }
      return devicesFor(record, request).flatMap(({ cdiDeviceIds }) => cdiDeviceIds);
    });
    return [...new Set(names)];
  }

  /** How well a container's devices are: `allocatedResourcesStatus`. */
  statusOf(pod: Pod, container: Container): readonly ResourceStatus[] {
    const record = (name: string): ClaimRecord | undefined =>
      this.#claims.get(keyOf({ namespace: namespaceOf(pod), name }));
    return claimStatuses({ pod, container, record, health: this.#parts.health });
  }

  resourcesOf(pod: Pod, container: Container): readonly ContainerClaim[] {
    if (!usesClaims(pod) || !this.has(uidOf(pod))) return [];
    const names = new Set(usesOf(pod, container).map(({ claim }) => claim));
    return [...names].flatMap((name) => {
      const record = this.#claims.get(keyOf({ namespace: namespaceOf(pod), name }));
      return record === undefined ? [] : [containerClaim(record)];
    });
  }

  /** The pods that have one of a driver's devices (`pool/device`). */
  usersOf(driver: string, devices: ReadonlySet<string>): ReadonlySet<string> {
    const claims = [...this.#claims.values()].filter(({ drivers }) =>
      drivers[driver]?.some(({ poolName, deviceName }) => devices.has(`${poolName}/${deviceName}`)),
    );
    return new Set(claims.flatMap(({ podUids }) => podUids));
  }

  /** How many claims are prepared, by their drivers' names; `<any>` stands for all of them, as upstream. */
  inUse(): ReadonlyMap<string, number> {
    const prepared = [...this.#claims.values()].filter(({ uid }) => this.#prepared.has(uid));
    const counts = new Map([[anyDriver, prepared.length]]);
    for (const driver of prepared.flatMap(({ drivers }) => Object.keys(drivers))) {
      counts.set(driver, (counts.get(driver) ?? 0) + 1);
    }
    return counts;
  }

  [Symbol.dispose](): void {
    this.#isDisposed = true;
    this.#cancelRetry();
  }

  async #wantedBy(pod: Pod, signal: AbortSignal | undefined): Promise<readonly ClaimRecord[]> {
    const namespace = namespaceOf(pod);
    const wanted = claimsOf(pod).map(async (podClaim): Promise<ClaimRecord> => {
      const { name } = podClaim;
      const claim = await this.#parts.client
        .get(resourceClaims, { namespace, name }, { ...(signal && { signal }) })
        .catch((error: unknown) => {
          throw new Error(`fetch ResourceClaim ${name}: ${plain(error)}`, { cause: error });
        });
      const drivers = driversFor(pod, podClaim, claim);
      for (const driver of drivers) this.#parts.driver(driver);
      return {
        namespace,
        name,
        uid: uidOf(claim),
        podUids: [],
        drivers: Object.fromEntries(drivers.map((driver) => [driver, []])),
      };
    });
    // Two names in a pod may mean the same claim.
    const records = await Promise.all(wanted);
    return [...new Map(records.map((record) => [keyOf(record), record])).values()];
  }

  async #prepare(
    podUid: string,
    wanted: readonly ClaimRecord[],
    signal: AbortSignal | undefined,
  ): Promise<void> {
    const records = wanted.map((record) => this.#taken(podUid, record));
    const isNew = records.some((record) => this.#claims.get(keyOf(record)) !== record);
    // Before a driver is asked: whatever happens meanwhile, it will be asked to give it back.
    if (isNew) this.#keep({ changed: records, gone: [] }, "cache");
    const open = records.filter((record) => !this.#prepared.has(record.uid));
    if (open.length === 0) return;
    const devices = new Map(open.map(({ uid, drivers }) => [uid, { ...drivers }]));
    for (const [driver, claims] of byDriver(open)) {
      const answers = await this.#parts.driver(driver).prepare(claims.map(referenceTo), signal);
      for (const { uid } of claims) {
        devices.set(uid, { ...devices.get(uid), [driver]: answers.get(uid) ?? [] });
      }
    }
    const changed = open.map((claim) => ({ ...claim, drivers: devices.get(claim.uid) ?? {} }));
    this.#keep({ changed, gone: [] }, "state");
    for (const { uid } of open) this.#prepared.add(uid);
  }

  /** The claim's record with this pod among those that use it; the same one when it was already. */
  #taken(podUid: string, wanted: ClaimRecord): ClaimRecord {
    const known = this.#claims.get(keyOf(wanted)) ?? wanted;
    if (known.uid !== wanted.uid) {
      throw new Error(
        `old ResourceClaim with same name ${known.name} and different UID ${known.uid} still exists (previous pod force-deleted?!)`,
      );
    }
    if (known.podUids.includes(podUid)) return known;
    return { ...known, podUids: [...known.podUids, podUid] };
  }

  async #unprepare(podUid: string): Promise<void> {
    const own = this.#claimsWith(podUid);
    const gone = own.filter(({ podUids }) => podUids.length === 1);
    const changed = own
      .filter((claim) => !gone.includes(claim))
      .map((claim) => ({ ...claim, podUids: claim.podUids.filter((uid) => uid !== podUid) }));
    // What is half given back has to be prepared again.
    for (const { uid } of gone) this.#prepared.delete(uid);
    for (const [driver, claims] of byDriver(gone)) {
      await this.#parts.driver(driver).unprepare(claims.map(referenceTo));
    }
    this.#keep({ changed, gone }, "state");
  }

  async #reconcile(): Promise<void> {
    this.#cancelRetry();
    let isDone = true;
    while (this.#reconcileAgain && !this.#isDisposed) {
      this.#reconcileAgain = false;
      const all = [...this.#claims.values()].flatMap(({ podUids }) => podUids);
      const gone = [...new Set(all)].filter((uid) => !this.#parts.isKnown(uid));
      const outcomes = await Promise.allSettled(gone.map((uid) => this.unprepare(uid)));
      const failed = outcomes.find(({ status }) => status === "rejected");
      isDone = failed === undefined;
      if (failed?.status === "rejected") {
        const reason = plain(failed.reason);
        this.#parts.log.warn("claims of gone pods not given back yet", { reason });
      }
    }
    if (isDone) this.#retryMs = firstRetryMs;
    if (isDone || this.#isDisposed) return;
    this.#cancelRetry = this.#parts.clock.after(this.#retryMs, () => void this.reconcile());
    this.#retryMs = Math.min(retryMsMax, this.#retryMs * 2);
  }

  #claimsWith(podUid: string): readonly ClaimRecord[] {
    return [...this.#claims.values()].filter(({ podUids }) => podUids.includes(podUid));
  }

  /** What cannot be written down has not happened. */
  #keep(
    {
      changed,
      gone,
    }: { readonly changed: readonly ClaimRecord[]; readonly gone: readonly ClaimRecord[] },
    what: "cache" | "state",
  ): void {
    const claims = new Map(this.#claims);
    for (const claim of changed) claims.set(keyOf(claim), claim);
    for (const claim of gone) claims.delete(keyOf(claim));
    try {
      this.#checkpoint.write([...claims.values()]);
    } catch (cause) {
      throw new Error(`checkpoint ResourceClaim ${what}: ${plain(cause)}`, { cause });
    }
    this.#claims = claims;
  }
}

/** The devices of a claim that are for a request; of all requests for "". */
export function devicesFor(record: ClaimRecord, request: string): readonly PreparedDevice[] {
  return Object.values(record.drivers)
    .flat()
    .filter(
      ({ requestNames }) =>
        request === "" || requestNames.length === 0 || requestNames.includes(request),
    );
}

function usesClaims({ spec, status }: Pod): boolean {
  return (
    (spec?.resourceClaims ?? []).length > 0 || status?.extendedResourceClaimStatus !== undefined
  );
}

function containerClaim({ name, namespace, drivers }: ClaimRecord): ContainerClaim {
  return {
    claimName: name,
    claimNamespace: namespace,
    claimResources: Object.entries(drivers).flatMap(([driverName, devices]) =>
      devices.map(({ cdiDeviceIds, poolName, deviceName, shareId }) => ({
        cdiDevices: cdiDeviceIds.map((id) => ({ name: id })),
        driverName,
        poolName,
        deviceName,
        ...(shareId !== undefined && { shareId }),
      })),
    ),
  };
}

function byDriver(
  claims: readonly ClaimRecord[],
): readonly (readonly [string, readonly ClaimRecord[]])[] {
  const names = new Set(claims.flatMap(({ drivers }) => Object.keys(drivers)));
  return [...names]
    .toSorted()
    .map((name) => [name, claims.filter(({ drivers }) => name in drivers)] as const);
}

function keyOf({ namespace, name }: { readonly namespace: string; readonly name: string }): string {
  return `${namespace}/${name}`;
}

function referenceTo({ namespace, name, uid }: ClaimRecord) {
  return { namespace, name, uid };
}

const plain = (error: unknown): string => (error instanceof Error ? error.message : String(error));
