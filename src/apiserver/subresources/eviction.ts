import { labelSelectorMatcher } from "#api/selector/label-selector.ts";
import type { LabelSelector } from "#api/generated/types.ts";
import type { JsonObject } from "#api/kind.ts";
import { conflict, internalError, StatusError } from "#api/status.ts";
import { rfc3339 } from "#base/clock.ts";
import { invariant } from "#base/invariant.ts";
import type { Answer } from "#apiserver/answer.ts";
import { resourcePrefix } from "#apiserver/cache/store-cache.ts";
import type { Call } from "#apiserver/call.ts";
import { readObjectBody } from "#apiserver/content/decode.ts";
import { deleteObject } from "#apiserver/objects/delete.ts";
import {
  cloneJson,
  ensureObject,
  numberAt,
  objectAt,
  objectsAt,
  stringAt,
} from "#apiserver/objects/json.ts";
import { readObject } from "#apiserver/objects/read.ts";
import { updateObject } from "#apiserver/objects/update.ts";
import { deleteOptionsOfObject } from "#apiserver/verbs/delete-options.ts";

/** `pods/eviction`: deletes a pod if its disruption budget can spare it. */
export async function evict(call: Call): Promise<Answer> {
  invariant(call.subresource !== undefined, "eviction is a subresource");
  const eviction = await readObjectBody(call, call.subresource);
  const options = deleteOptionsOfObject(objectAt(eviction, "deleteOptions"));
  const evicting: Call = { ...call, dryRun: call.dryRun || options.dryRun };
  const pod = (await readObject(call)).object;
  if (needsBudget(pod)) await spend(evicting, pod);
  await deleteObject({ ...evicting, subresource: undefined }, options);
  return {
    kind: "value",
    status: 201,
    value: { kind: "Status", apiVersion: "v1", metadata: {}, status: "Success", code: 201 },
  };
}

/** Pods that have ended, wait for a node or are going already disrupt nobody. */
function needsBudget(pod: JsonObject): boolean {
  const phase = stringAt(objectAt(pod, "status"), "phase");
  const deleting = stringAt(objectAt(pod, "metadata"), "deletionTimestamp") !== "";
  return !deleting && phase !== "Succeeded" && phase !== "Failed" && phase !== "Pending";
}

async function spend(call: Call, pod: JsonObject): Promise<void> {
  const [budget, another] = budgetsOf(call, pod);
  if (budget === undefined) return;
  if (another !== undefined) {
    throw internalError(
      "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.",
    );
  }
  if (!isReady(pod) && mayEvictUnready(budget)) return;
  const kind = call.server.kinds.find("policy", "v1", "poddisruptionbudgets");
  invariant(kind !== undefined, "disruption budgets are served");
  const name = stringAt(objectAt(budget, "metadata"), "name");
  const podName = call.info.name;
  const budgetCall: Call = {
    ...call,
    kind,
    subresource: kind.subresources.find((one) => one.name === "status"),
    info: { ...call.info, name },
  };
  await updateObject(budgetCall, {
    part: "raw",
    change: ({ object }) => withDisruption(budgetCall, object, podName),
  });
}

function budgetsOf(call: Call, pod: JsonObject): readonly JsonObject[] {
  const prefix = resourcePrefix({ group: "policy", resource: "poddisruptionbudgets" });
  const all = call.server.cache.resource(prefix).list(`${prefix}${call.info.namespace}/`);
  const labels = objectAt(objectAt(pod, "metadata"), "labels") as Record<string, string>;
  return all
    .map((stored) => stored.object)
    .filter((budget) => {
      const selector = objectAt(budget, "spec").selector as LabelSelector | undefined;
      return labelSelectorMatcher(selector).matches(labels);
    });
}

function isReady(pod: JsonObject): boolean {
  const conditions = objectsAt(objectAt(pod, "status"), "conditions");
  return conditions.some((one) => one.type === "Ready" && one.status === "True");
}

/** A pod that does not work may go if the policy says so, or if enough others work. */
function mayEvictUnready(budget: JsonObject): boolean {
  if (objectAt(budget, "spec").unhealthyPodEvictionPolicy === "AlwaysAllow") return true;
  const status = objectAt(budget, "status");
  const desired = numberAt(status, "desiredHealthy") ?? 0;
  return desired > 0 && (numberAt(status, "currentHealthy") ?? 0) >= desired;
}

/** The budget with one disruption less, which is noted until the pod is seen to go. */
function withDisruption(call: Call, budget: JsonObject, podName: string): JsonObject {
  const name = stringAt(objectAt(budget, "metadata"), "name");
  const status = objectAt(budget, "status");
  const observed = numberAt(status, "observedGeneration") ?? 0;
  if (observed < (numberAt(objectAt(budget, "metadata"), "generation") ?? 0)) {
    throw tooMany(`The disruption budget ${name} is still being processed by the server.`, 10);
  }
  const allowed = numberAt(status, "disruptionsAllowed") ?? 0;
  if (allowed < 0) throw conflict(call.kind, name, "pdb disruptions allowed is negative");
  if (allowed === 0) {
    const desired = numberAt(status, "desiredHealthy") ?? 0;
    const current = numberAt(status, "currentHealthy") ?? 0;
    throw tooMany(
      `The disruption budget ${name} needs ${desired} healthy pods and has ${current} currently`,
      0,
    );
  }
  const object = cloneJson(budget);
  const next = ensureObject(object, "status");
  next.disruptionsAllowed = allowed - 1;
  ensureObject(next, "disruptedPods")[podName] = rfc3339(call.server.clock.now());
  return object;
}

function tooMany(message: string, retryAfterSeconds: number): StatusError {
  return new StatusError({
    code: 429,
    reason: "TooManyRequests",
    message: "Cannot evict pod as it would violate the pod's disruption budget.",
    details: {
      causes: [{ reason: "DisruptionBudget", message }],
      ...(retryAfterSeconds > 0 && { retryAfterSeconds }),
    },
  });
}
