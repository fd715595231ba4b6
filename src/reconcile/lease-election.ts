import type { Lease } from "#api/generated/types.ts";
import { leases } from "#api/resources.ts";
import { ifFound, isAlreadyExists, isConflict } from "#api/status.ts";
import { rfc3339Micro, sleep, type Clock } from "#base/clock.ts";
import type { Log } from "#base/log.ts";
import type { Client } from "#client/client.ts";

export interface ElectionParts {
  readonly client: Client;
  readonly clock: Clock;
  readonly log: Log;
  readonly signal: AbortSignal;
  /** The lease's place. */
  readonly namespace: string;
  readonly name: string;
  /** Unique among the candidates. */
  readonly identity: string;
}

/** Upstream's defaults. */
const leaseDurationSeconds = 15;
const renewDeadlineMs = 10_000;
const retryPeriodMs = 2_000;

/**
 * Runs `lead` while this process holds the lease, as client-go's leader election: one candidate at a time, and
 * another takes over when a holder has not renewed for 15 s by the watcher's own clock. `lead` gets a signal that is
 * aborted when the lease is lost, and must then stop before it resolves. Resolves when `signal` is aborted; a lease
 * still held is given back.
 */
export async function leadWhileElected(
  parts: ElectionParts,
  lead: (signal: AbortSignal) => Promise<void>,
): Promise<void> {
  const candidate = new Candidate(parts);
  while (!parts.signal.aborted) {
    if (!(await candidate.tryAcquire())) {
      await sleep(parts.clock, retryPeriodMs, parts.signal).catch(() => {});
      continue;
    }
    parts.log.info("leading", { lease: parts.name, identity: parts.identity });
    const term = new AbortController();
    const leading = lead(term.signal);
    await candidate.renewUntilLost();
    term.abort(new Error(`Cannot lead any longer: lease "${parts.name}" is lost`));
    await leading.catch((error: unknown) => parts.log.warn("leading ended", { error }));
    if (parts.signal.aborted) await candidate.release();
  }
}

class Candidate {
  readonly #parts: ElectionParts;
  #observed: Lease | undefined;
  /** Whether the lease observed still holds. By timers, which run on as they do when the clock is put. */
  #isValid = false;
  #forget = (): void => {};

  constructor(parts: ElectionParts) {
    this.#parts = parts;
  }

  async tryAcquire(): Promise<boolean> {
    const { identity, log } = this.#parts;
    try {
      const lease = await this.#read();
      if (lease === undefined) return await this.#create();
      if (lease.metadata.resourceVersion !== this.#observed?.metadata.resourceVersion) {
        this.#observe(lease);
      }
      const holder = lease.spec?.holderIdentity ?? "";
      if (holder !== "" && holder !== identity && this.#isValid) return false;
      return await this.#write(lease, identity);
    } catch (error) {
      log.debug("lease not acquired", { error });
      return false;
    }
  }

  async renewUntilLost(): Promise<void> {
    const { clock, signal } = this.#parts;
    let isLate = false;
    const deadline = (): (() => void) => clock.after(renewDeadlineMs, () => (isLate = true));
    let cancel = deadline();
    while (!signal.aborted && !isLate) {
      await sleep(clock, retryPeriodMs, signal).catch(() => {});
      if (signal.aborted) break;
      if (await this.tryAcquire()) {
        cancel();
        isLate = false;
        cancel = deadline();
      } else if (this.#observed?.spec?.holderIdentity !== this.#parts.identity) break;
    }
    cancel();
  }

  async release(): Promise<void> {
    if (this.#observed === undefined) return;
    await this.#write(this.#observed, "").catch((error: unknown) => {
      this.#parts.log.debug("lease not given back", { error });
    });
  }

  #read(): Promise<Lease | undefined> {
    const { client, name, namespace } = this.#parts;
    return ifFound(client.get(leases, { name, namespace }));
  }

  async #create(): Promise<boolean> {
    const { client, clock, identity, name, namespace } = this.#parts;
    const now = rfc3339Micro(clock.now());
    try {
      const lease = await client.create(leases, {
        apiVersion: "coordination.k8s.io/v1",
        kind: "Lease",
        metadata: { name, namespace },
        spec: {
          holderIdentity: identity,
          leaseDurationSeconds,
          acquireTime: now,
          renewTime: now,
          leaseTransitions: 0,
        },
      });
      this.#observe(lease);
      return true;
    } catch (error) {
      if (isAlreadyExists(error)) return false;
      throw error;
    }
  }

  async #write(lease: Lease, holder: string): Promise<boolean> {
    const { client, clock } = this.#parts;
    const now = rfc3339Micro(clock.now());
    const same = lease.spec?.holderIdentity === holder;
    const transitions = lease.spec?.leaseTransitions ?? 0;
    // The API takes no empty holder: a lease that is given back names none.
    const { holderIdentity: _before, ...kept } = lease.spec ?? {};
    try {
      const written = await client.update(leases, {
        ...lease,
        spec: {
          ...kept,
          ...(holder !== "" && { holderIdentity: holder }),
          leaseDurationSeconds: holder === "" ? 1 : leaseDurationSeconds,
          acquireTime: same ? (lease.spec?.acquireTime ?? now) : now,
          renewTime: now,
          leaseTransitions: same || holder === "" ? transitions : transitions + 1,
        },
      });
      this.#observe(written);
      return true;
    } catch (error) {
      if (isConflict(error)) return false;
      throw error;
    }
  }

  #observe(lease: Lease): void {
    const lastsMs = (lease.spec?.leaseDurationSeconds ?? leaseDurationSeconds) * 1000;
    this.#observed = lease;
    this.#isValid = true;
    this.#forget();
    this.#forget = this.#parts.clock.after(lastsMs, () => (this.#isValid = false));
  }
}
