import type { JsonObject } from "#api/kind.ts";
import { rfc3339 } from "#base/clock.ts";
import { ensureObject, objectsAt } from "#apiserver/objects/json.ts";

interface Condition {
  readonly type: string;
  readonly status: string;
  readonly reason?: string;
  readonly message?: string;
}

/** In place: sets a condition of a pod. Its transition time moves only when its status changes. */
export function setPodCondition(pod: JsonObject, condition: Condition, nowMs: number): void {
  const status = ensureObject(pod, "status");
  const conditions = [...objectsAt(status, "conditions")];
  const index = conditions.findIndex((one) => one.type === condition.type);
  const before = conditions[index];
  const unchanged = before?.status === condition.status;
  const lastTransitionTime = (unchanged && before?.lastTransitionTime) || rfc3339(nowMs);
  conditions.splice(index < 0 ? conditions.length : index, 1, { ...condition, lastTransitionTime });
  status.conditions = conditions;
}
