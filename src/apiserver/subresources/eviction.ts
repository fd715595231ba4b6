import { labelSelectorMatcher } from "#api/selector/label-selector.ts";
import type { LabelSelector } from "#api/generated/types.ts";
import type { JsonObject } from "#api/kind.ts";
import { badRequest, forbidden, isConflict, StatusError } from "#api/status.ts";
import { rfc3339 } from "#base/clock.ts";
import { invariant } from "#base/invariant.ts";
import { admitWhole } from "#apiserver/admission/admission.ts";
import { contentOf, type Answer } from "#apiserver/answer.ts";
import { resourcePrefix } from "#apiserver/cache/store-cache.ts";
import type { Call } from "#apiserver/call.ts";
import { readObjectBody } from "#apiserver/content/decode.ts";
import { assertPreconditions, deleteObject } from "#apiserver/objects/delete.ts";
import {
  cloneJson,
  ensureObject,
  numberAt,
  objectAt,
  objectsAt,
  stringAt,
} from "#apiserver/objects/json.ts";
import type { DeleteOptions } from "#apiserver/objects/plan-deletion.ts";
import { readObject } from "#apiserver/objects/read.ts";
import { updateObject } from "#apiserver/objects/update.ts";
import { setPodCondition } from "#apiserver/subresources/pod-condition.ts";
import { deleteOptionsOfObject } from "#apiserver/verbs/delete-options.ts";

/** `pods/eviction`: deletes a pod if its disruption budget can spare it. */
export async function evict(call: Call): Promise<Answer> {
  invariant(call.subresource !== undefined, "eviction is a subresource");
  const eviction = await readObjectBody(call, call.subresource);
  if (stringAt(objectAt(eviction, "metadata"), "name") !== call.info.name) {
    throw badRequest("name in URL does not match name in Eviction object");
  }
  const options = deleteOptionsOfObject(objectAt(eviction, "deleteOptions"));
  const evicting: Call = { ...call, dryRun: call.dryRun || options.dryRun };
  await admitWhole(evicting, { operation: "CREATE", object: eviction, old: undefined });
  const pod = (await readObject(call)).object;
  const budgets = needsBudget(pod) ? budgetsOf(call, pod) : [];
  if (budgets.length > 1) return answer({ status: "Failure", message: ambiguousText, code: 500 });
  const outcome = budgets[0] && (await spend(evicting, pod, budgets[0]));
  await removePod(evicting, pod, { options, unready: outcome === "spared" });
  return answer({ status: "Success", code: 201 });
}

function answer(status: JsonObject): Answer {
  const value = { kind: "Status", apiVersion: "v1", metadata: {}, ...status };
  return { kind: "value", status: 201, value };
}

const ambiguousText =
  "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support.";

interface Removing {
  readonly options: DeleteOptions;
  /** The budget was spared because the pod was not ready: it goes only if that is still so. */
  readonly unready: boolean;
}

async function removePod(call: Call, pod: JsonObject, removing: Removing): Promise<void> {
  const { options, unready } = removing;
  const name = stringAt(objectAt(pod, "metadata"), "name");
  const version = stringAt(objectAt(pod, "metadata"), "resourceVersion");
  const asked = options.preconditions?.resourceVersion;
  const expected = asked ?? (unready ? version : undefined);
  try {
    const seen = call.dryRun ? expected : await noteEviction(call, { options, expected });
    const preconditions = {
      ...options.preconditions,
      ...(seen !== undefined && { resourceVersion: seen }),
    };
    await deleteObject(
      { ...call, subresource: undefined },
      { ...options, preconditions },
      { admitted: true },
    );
  } catch (error) {
    if (!unready || asked !== undefined || !isConflict(error)) throw error;
    throw tooMany(`The disruption budget ${name} is still being processed by the server.`, 10);
  }
}

interface Noting {
  readonly options: DeleteOptions;
  readonly expected: string | undefined;
}

/** Says in the pod why it goes. Answers its version after that, where one was expected. */
async function noteEviction(
  call: Call,
  { options, expected }: Noting,
): Promise<string | undefined> {
  const written = await updateObject(call, {
    part: "raw",
    managersNoted: true,
    admitted: true,
    change: ({ object: old }) => {
      assertPreconditions(call, old, {
        preconditions: {
          ...options.preconditions,
          ...(expected !== undefined && { resourceVersion: expected }),
        },
      });
      const pod = cloneJson(old);
      setPodCondition(pod, evicted, call.server.clock.now());
      return pod;
    },
  });
  const metadata = objectAt(contentOf(written), "metadata");
  return expected === undefined ? undefined : stringAt(metadata, "resourceVersion");
}

const evicted = {
  type: "DisruptionTarget",
  status: "True",
  reason: "EvictionByEvictionAPI",
  message: "Eviction API: evicting",
};

/** Pods that have ended, wait for a node or are going already disrupt nobody. */
function needsBudget(pod: JsonObject): boolean {
  const phase = stringAt(objectAt(pod, "status"), "phase");
  const deleting = stringAt(objectAt(pod, "metadata"), "deletionTimestamp") !== "";
  return !deleting && phase !== "Succeeded" && phase !== "Failed" && phase !== "Pending";
}

/** Takes one disruption out of the budget, or spares it where the pod does not work anyway. */
async function spend(call: Call, pod: JsonObject, budget: JsonObject): Promise<"spent" | "spared"> {
  if (!isReady(pod) && mayEvictUnready(budget)) return "spared";
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
  return "spent";
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
  if (allowed < 0) throw forbidden(budgetResource, name, "pdb disruptions allowed is negative");
  if (Object.keys(objectAt(status, "disruptedPods")).length > disruptedMax) {
    throw forbidden(budgetResource, name, tooManyDisruptedText);
  }
  if (allowed === 0) throw tooMany(whyNone(name, status), 0);
  const object = cloneJson(budget);
  const next = ensureObject(object, "status");
  next.disruptionsAllowed = allowed - 1;
  ensureObject(next, "disruptedPods")[podName] = rfc3339(call.server.clock.now());
  return object;
}

const budgetResource = { group: "policy", resource: "poddisruptionbudget" };
const disruptedMax = 2_000;
const tooManyDisruptedText =
  "DisruptedPods map too big - too many evictions not confirmed by PDB controller";

/** A count that could not be made says nothing, so that the failure to make it comes first. */
function whyNone(name: string, status: JsonObject): string {
  const condition = objectsAt(status, "conditions").find(
    (one) => one.type === "DisruptionAllowed" && one.status === "False",
  );
  const [reason, why] = [stringAt(condition, "reason"), stringAt(condition, "message")];
  const desired = numberAt(status, "desiredHealthy") ?? 0;
  const current = numberAt(status, "currentHealthy") ?? 0;
  const none = `The disruption budget ${name} does not allow evicting pods currently`;
  if (why !== "" && reason === "SyncFailed") return `${none} because it failed sync: ${why}`;
  if (current <= desired)
    return `The disruption budget ${name} needs ${desired} healthy pods and has ${current} currently`;
  return why === "" ? none : `${none} (${reason}): ${why}`;
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
