import type { PersistentVolumeClaim, Pod } from "#api/generated/types.ts";
import type { Counted } from "#api/quota/usage.ts";
import { isTerminating } from "#api/quota/scopes.ts";
import type { Attempt } from "#apiserver/admission/admission.ts";
import type { Call } from "#apiserver/call.ts";
import { objectAt, sameJson } from "#apiserver/objects/json.ts";

/** A write as quotas see it. */
export interface QuotaRequest {
  readonly counted: Counted;
  readonly object: object;
  /** Undefined for a creation. */
  readonly old: object | undefined;
  readonly nowMs: number;
  /** What a status reports was used already: it is counted, never refused. */
  readonly isReport: boolean;
}

/** Undefined where the write uses up nothing. */
export function quotaRequestOf(call: Call, attempt: Attempt): QuotaRequest | undefined {
  const { kind, info, server } = call;
  const { object, old, operation } = attempt;
  if (!kind.namespaced || info.namespace === "" || object === undefined) return undefined;
  if (operation !== "CREATE" && operation !== "UPDATE") return undefined;
  const counted: Counted = { group: kind.group, resource: kind.resource };
  const name = kind.group === "" ? kind.resource : `${kind.resource}.${kind.group}`;
  if (uncounted.has(name)) return undefined;
  const uses = usesUp[name] ?? createdOnly;
  if (!uses(attempt, info.subresource)) return undefined;
  return {
    counted,
    object,
    old: operation === "UPDATE" ? old : undefined,
    nowMs: server.clock.now(),
    isReport: info.subresource === "status",
  };
}

const uncounted: ReadonlySet<string> = new Set(["events", "events.events.k8s.io", "bindings"]);

type Uses = (attempt: Attempt, subresource: string) => boolean;

const createdOnly: Uses = ({ operation }, subresource) =>
  operation === "CREATE" && subresource === "";

const usesUp: Readonly<Record<string, Uses>> = {
  pods: (attempt, subresource) => {
    if (subresource === "resize") return attempt.operation === "UPDATE";
    if (subresource !== "") return false;
    if (attempt.operation === "CREATE") return true;
    const { object, old } = attempt as { object?: unknown; old?: unknown };
    return isTerminating(object as Pod) !== isTerminating(old as Pod);
  },
  services: (_attempt, subresource) => subresource === "",
  persistentvolumeclaims: ({ object, old }, subresource) => {
    if (subresource !== "status") return subresource === "";
    const [status, before] = [objectAt(object, "status"), objectAt(old, "status")];
    return claimFields.some((field) => !sameJson(status[field], before[field]));
  },
};

const claimFields: readonly (keyof NonNullable<PersistentVolumeClaim["status"]>)[] = [
  "allocatedResources",
  "currentVolumeAttributesClassName",
  "modifyVolumeStatus",
];
