import type { ResourceQuota } from "#api/generated/types.ts";
import type { JsonObject } from "#api/kind.ts";
import { conflict } from "#api/status.ts";
import { compareQuantities } from "#api/quantity.ts";
import { readAmounts, zero } from "#api/quota/amounts.ts";
import { isFor, notAdmitted, type Attempt } from "#apiserver/admission/admission.ts";
import type { AdmissionPlugin } from "#apiserver/admission/admission-plugin.ts";
import { afterWrite } from "#apiserver/admission/after-write.ts";
import { objectsIn } from "#apiserver/admission/read-namespace.ts";
import { chargeOf } from "#apiserver/admission/resource-quota/charge.ts";
import {
  quotaRequestOf,
  type QuotaRequest,
} from "#apiserver/admission/resource-quota/quota-request.ts";
import { QuotaLedger, type Taken } from "#apiserver/admission/resource-quota/quota-ledger.ts";
import type { Call } from "#apiserver/call.ts";
import { objectAt, stringAt } from "#apiserver/objects/json.ts";
import { modifiedText } from "#apiserver/objects/update.ts";

/**
 * Refuses writes for which a namespace's quotas leave no room. What a write uses is noted in the quota's status by
 * compare-and-swap before the write, so that of any number of writers at once, at any number of servers, none gets
 * past the limit; what came to nothing is given back.
 */
export function createResourceQuota(): AdmissionPlugin {
  const ledger = new QuotaLedger();
  return {
    name: "ResourceQuota",
    async validate(call, attempt) {
      if (isQuotaStatus(call)) await assertUpToDate(ledger, call, attempt);
      if (attempt.operation === "DELETE" && isFor(call, "", "resourcequotas"))
        ledger.forget(uidOf(attempt.old));
      const request = quotaRequestOf(call, attempt);
      if (request === undefined || quotasOf(call).length === 0) return;
      // One after the other: they would only be in each other's way.
      const queue = `resource-quota/${call.info.namespace}`;
      const taken = await call.server.writers.run(queue, () =>
        take(ledger, { call, attempt }, request),
      );
      if (taken.length === 0) return;
      afterWrite(attempt, (stored) => ledger.ended(call.server, taken, stored));
    },
  };
}

function quotasOf({ server, info }: Call): readonly ResourceQuota[] {
  const resource = { group: "", resource: "resourcequotas" };
  return objectsIn(server, resource, info.namespace) as unknown as readonly ResourceQuota[];
}

interface Writing {
  readonly call: Call;
  readonly attempt: Attempt;
}

/** All quotas are asked before anything is noted in one. */
async function take(
  ledger: QuotaLedger,
  { call, attempt }: Writing,
  request: QuotaRequest,
): Promise<readonly Taken[]> {
  const charging = (quota: ResourceQuota) => {
    const charge = chargeOf(quota, request);
    if (charge.kind === "refused") throw notAdmitted(call, attempt, charge.why);
    return charge.kind === "taken" ? charge.amounts : undefined;
  };
  await call.server.cache.current();
  const concerned = quotasOf(call).filter((quota) => charging(quota) !== undefined);
  if (call.dryRun) return [];
  const taken: Taken[] = [];
  try {
    for (const quota of concerned) {
      const one = await ledger.take(call.server, quota, charging);
      if (one !== undefined) taken.push(one);
    }
  } catch (error) {
    ledger.ended(call.server, taken, false);
    throw error;
  }
  return taken;
}

function isQuotaStatus({ kind, info }: Call): boolean {
  return kind.group === "" && kind.resource === "resourcequotas" && info.subresource === "status";
}

/**
 * A usage that was counted while writes were under way lacks what these took. Who wants to lower it is sent back
 * once after each write that ended since, and counts again.
 */
async function assertUpToDate(ledger: QuotaLedger, call: Call, attempt: Attempt): Promise<void> {
  const { operation, object, old } = attempt;
  if (operation !== "UPDATE" || object === undefined || old === undefined) return;
  if (!isLowered(object, old)) return;
  if (await ledger.isSettled(uidOf(old))) return;
  throw conflict(call.kind, call.info.name, modifiedText);
}

function isLowered(object: JsonObject, old: JsonObject): boolean {
  const before = readAmounts(objectAt(objectAt(old, "status"), "used"));
  const after = readAmounts(objectAt(objectAt(object, "status"), "used"));
  return [...before].some(
    ([name, quantity]) => compareQuantities(after.get(name) ?? zero, quantity) < 0,
  );
}

function uidOf(object: JsonObject | undefined): string {
  return stringAt(objectAt(object, "metadata"), "uid");
}
