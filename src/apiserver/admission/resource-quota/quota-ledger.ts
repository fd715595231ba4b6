import type { ResourceQuota } from "#api/generated/types.ts";
import type { JsonObject, Kind } from "#api/kind.ts";
import { conflict } from "#api/status.ts";
import { invariant } from "#base/invariant.ts";
import {
  addAmounts,
  moreThan,
  readAmounts,
  writeAmounts,
  type Amounts,
} from "#api/quota/amounts.ts";
import { resourcePrefix } from "#apiserver/cache/store-cache.ts";
import { objectKey } from "#apiserver/objects/keys.ts";
import { cloneJson, ensureObject } from "#apiserver/objects/json.ts";
import { persist } from "#apiserver/objects/persist.ts";
import { modifiedText } from "#apiserver/objects/update.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/** What was noted in a quota for a write that has not ended yet. */
export interface Taken {
  readonly quota: ResourceQuota;
  readonly amounts: Amounts;
  readonly ended: () => void;
}

/** Notes in the quotas themselves what is taken, and remembers which writes these notes wait for. */
export class QuotaLedger {
  /** By the quota's uid. */
  readonly #underWay = new Map<string, Set<Promise<void>>>();
  /** Quotas with writes that ended since somebody counted last. */
  readonly #moved = new Set<string>();

  /** `charging` is asked again when somebody else wrote the quota; it throws when there is no room. */
  async take(
    server: ServerState,
    quota: ResourceQuota,
    charging: (quota: ResourceQuota) => Amounts | undefined,
  ): Promise<Taken | undefined> {
    const uid = quota.metadata.uid ?? "";
    const { promise, resolve } = Promise.withResolvers<void>();
    const group = this.#underWay.get(uid) ?? new Set();
    this.#underWay.set(uid, group.add(promise));
    const ended = (): void => {
      resolve();
      group.delete(promise);
      if (group.size === 0) this.#underWay.delete(uid);
    };
    let amounts: Amounts | undefined;
    try {
      await changeUsed(server, quota, (current, used) => {
        amounts = charging(current);
        return amounts && addAmounts(used, amounts);
      });
    } catch (error) {
      ended();
      throw error;
    }
    if (amounts !== undefined) return { quota, amounts, ended };
    ended();
    return undefined;
  }

  /** A write is over; what came to nothing is given back. */
  ended(server: ServerState, taken: readonly Taken[], stored: boolean): void {
    for (const one of taken) {
      const uid = one.quota.metadata.uid ?? "";
      if (stored) {
        this.#moved.add(uid);
        one.ended();
      } else void this.#giveBack(server, one);
    }
  }

  async #giveBack(server: ServerState, { quota, amounts, ended }: Taken): Promise<void> {
    try {
      await changeUsed(server, quota, (_current, used) => {
        const rest = moreThan(used, amounts);
        return new Map([...used].map(([name, before]) => [name, rest.get(name) ?? before]));
      });
    } catch (error) {
      // The quota's controller counts anew in a while.
      server.log.warn("quota was not given back", { quota: quota.metadata.name ?? "", error });
    } finally {
      ended();
    }
  }

  /** Waits for the writes that are under way; false when some have ended since it was asked last. */
  async isSettled(uid: string): Promise<boolean> {
    const underWay = this.#underWay.get(uid);
    if (underWay !== undefined) await Promise.all(underWay);
    return !this.#moved.delete(uid);
  }

  forget(uid: string): void {
    this.#moved.delete(uid);
  }
}

/** As long as others write the same quota in between. */
const attemptsMax = 16;

/** Writes what `next` answers into `status.used`; undefined leaves it as it is. A quota that is gone limits nothing. */
async function changeUsed(
  server: ServerState,
  quota: ResourceQuota,
  next: (current: ResourceQuota, used: Amounts) => Amounts | undefined,
): Promise<void> {
  const { name = "", namespace = "", uid } = quota.metadata;
  const kind = quotaKind(server);
  const key = objectKey(kind, namespace, name);
  let stored = server.cache.resource(resourcePrefix(kind)).get(key);
  for (let attempt = 0; attempt < attemptsMax; attempt += 1) {
    if (stored === undefined) return;
    const current = stored.object as unknown as ResourceQuota;
    if (current.metadata.uid !== uid) return;
    const used = next(current, readAmounts(current.status?.used));
    if (used === undefined) return;
    const object: JsonObject = cloneJson(stored.object);
    ensureObject(object, "status").used = writeAmounts(used);
    const result = await persist(server, { kind, key, expected: stored.revision }, object);
    if (result.ok) return;
    stored = result.current;
  }
  throw conflict(kind, name, modifiedText);
}

function quotaKind(server: ServerState): Kind {
  const kind = server.kinds.find("", "v1", "resourcequotas");
  invariant(kind !== undefined, "quotas are served");
  return kind;
}
