import type { JsonObject } from "#api/kind.ts";
import { readAmounts, sameAmounts } from "#api/quota/amounts.ts";
import { isFor, notAdmitted, type Attempt } from "#apiserver/admission/admission.ts";
import type { AdmissionPlugin } from "#apiserver/admission/admission-plugin.ts";
import { mergeTolerations } from "#apiserver/admission/tolerations.ts";
import type { Call } from "#apiserver/call.ts";
import { cloneJson, ensureObject, objectAt, objectsAt } from "#apiserver/objects/json.ts";
import { lookUp } from "#apiserver/objects/read.ts";

/** Gives a new pod the overhead and the placement of its runtime class. */
export const runtimeClass: AdmissionPlugin = {
  name: "RuntimeClass",
  mutate(call, attempt) {
    if (!isNewPod(call, attempt)) return;
    const found = classOf(call, attempt);
    if (found === undefined) return;
    setOverhead(call, attempt, found);
    setScheduling(call, attempt, found);
  },
  validate(call, attempt) {
    if (!isNewPod(call, attempt)) return;
    const found = classOf(call, attempt);
    const { overhead } = objectAt(attempt.object, "spec");
    if (found?.overhead !== undefined) return assertSameOverhead(call, attempt, found);
    if (overhead === undefined) return;
    throw notAdmitted(
      call,
      attempt,
      "pod rejected: Pod Overhead set without corresponding RuntimeClass defined Overhead",
    );
  },
};

function isNewPod(call: Call, { operation, object }: Attempt): boolean {
  return operation === "CREATE" && object !== undefined && isFor(call, "", "pods");
}

function classOf(call: Call, attempt: Attempt): JsonObject | undefined {
  const name = objectAt(attempt.object, "spec").runtimeClassName;
  if (typeof name !== "string") return undefined;
  const found = lookUp(call.server, { group: "node.k8s.io", resource: "runtimeclasses" }, { name });
  if (found !== undefined) return found;
  const why = `pod rejected: RuntimeClass ${JSON.stringify(name)} not found`;
  throw notAdmitted(call, attempt, why);
}

function fixedOf(found: JsonObject): JsonObject {
  return objectAt(objectAt(found, "overhead"), "podFixed");
}

function setOverhead(call: Call, attempt: Attempt, found: JsonObject): void {
  if (found.overhead === undefined) return;
  const spec = ensureObject(attempt.object ?? {}, "spec");
  if (Object.keys(objectAt(spec, "overhead")).length > 0) assertSameOverhead(call, attempt, found);
  spec.overhead = cloneJson(fixedOf(found));
}

function assertSameOverhead(call: Call, attempt: Attempt, found: JsonObject): void {
  const own = readAmounts(objectAt(attempt.object, "spec").overhead);
  if (sameAmounts(own, readAmounts(fixedOf(found)))) return;
  const why = "pod rejected: Pod's Overhead doesn't match RuntimeClass's defined Overhead";
  throw notAdmitted(call, attempt, why);
}

function setScheduling(call: Call, attempt: Attempt, found: JsonObject): void {
  if (found.scheduling === undefined) return;
  const scheduling = objectAt(found, "scheduling");
  const spec = ensureObject(attempt.object ?? {}, "spec");
  for (const [key, value] of Object.entries(objectAt(scheduling, "nodeSelector"))) {
    const selector = ensureObject(spec, "nodeSelector");
    const own = selector[key];
    if (own !== undefined && own !== value) {
      const text = (of: string, what: unknown): string =>
        `${of}.nodeSelector[${key}] = ${String(what)}`;
      const why = `conflict: ${text("runtimeClass.scheduling", value)}; ${text("pod.spec", own)}`;
      throw notAdmitted(call, attempt, why);
    }
    selector[key] = value;
  }
  const tolerations = objectsAt(scheduling, "tolerations").map(cloneJson);
  if (tolerations.length === 0) return;
  spec.tolerations = mergeTolerations(objectsAt(spec, "tolerations"), tolerations);
}
