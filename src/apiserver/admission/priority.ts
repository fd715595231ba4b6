import type { JsonObject } from "#api/kind.ts";
import { isFor, notAdmitted, type Attempt } from "#apiserver/admission/admission.ts";
import type { AdmissionPlugin } from "#apiserver/admission/admission-plugin.ts";
import { resourcePrefix } from "#apiserver/cache/store-cache.ts";
import type { Call } from "#apiserver/call.ts";
import { ensureObject, numberAt, objectAt, stringAt } from "#apiserver/objects/json.ts";
import { lookUp } from "#apiserver/objects/read.ts";

const priorityClasses = { group: "scheduling.k8s.io", resource: "priorityclasses" };

/** Turns the name of a new pod's priority class into its number; only one class is the default. */
export const priority: AdmissionPlugin = {
  name: "Priority",
  mutate: setPriority,
  validate(call, attempt) {
    if (attempt.operation !== "CREATE" && attempt.operation !== "UPDATE") return;
    const { group, resource } = priorityClasses;
    if (isFor(call, group, resource)) assertOneDefault(call, attempt);
  },
};

function setPriority(call: Call, attempt: Attempt): void {
  const { operation, object } = attempt;
  if (object === undefined || !isFor(call, "", "pods")) return;
  if (operation === "UPDATE") return keepPriority(object, attempt.old);
  if (operation !== "CREATE") return;
  const spec = ensureObject(object, "spec");
  const found = classOf(call, attempt, stringAt(spec, "priorityClassName"));
  const value = numberAt(found, "value") ?? 0;
  const given = numberAt(spec, "priority");
  if (given !== undefined && given !== value) {
    throw notAdmitted(
      call,
      attempt,
      `the integer value of priority (${given}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
    );
  }
  spec.priority = value;
  if (found !== undefined) spec.priorityClassName = stringAt(objectAt(found, "metadata"), "name");
  settlePolicy(call, attempt, stringAt(found, "preemptionPolicy") || "PreemptLowerPriority");
}

/** What a client leaves out of an update stays as it was. */
function keepPriority(pod: JsonObject, old: JsonObject | undefined): void {
  const [spec, before] = [ensureObject(pod, "spec"), objectAt(old, "spec")];
  for (const field of ["priority", "preemptionPolicy"]) {
    if (spec[field] === undefined && before[field] !== undefined) spec[field] = before[field];
  }
}

function assertOneDefault(call: Call, attempt: Attempt): void {
  if (attempt.object?.globalDefault !== true) return;
  const name = stringAt(objectAt(globalDefault(call), "metadata"), "name");
  const own = stringAt(objectAt(attempt.object, "metadata"), "name");
  if (name === "" || (attempt.operation === "UPDATE" && name === own)) return;
  const why = `PriorityClass ${name} is already marked as default. Only one default can exist`;
  throw notAdmitted(call, attempt, why);
}

function classOf(call: Call, attempt: Attempt, name: string): JsonObject | undefined {
  if (name === "") return globalDefault(call);
  const found = lookUp(call.server, priorityClasses, { name });
  if (found !== undefined) return found;
  throw notAdmitted(call, attempt, `no PriorityClass with name ${name} was found`);
}

/** Of several defaults the lowest counts, as upstream. */
function globalDefault(call: Call): JsonObject | undefined {
  const prefix = resourcePrefix(priorityClasses);
  const all = call.server.cache.resource(prefix).list(prefix);
  const defaults = all.map((stored) => stored.object).filter((one) => one.globalDefault === true);
  return defaults.toSorted((a, b) => (numberAt(a, "value") ?? 0) - (numberAt(b, "value") ?? 0))[0];
}

function settlePolicy(call: Call, attempt: Attempt, computed: string): void {
  const spec = ensureObject(attempt.object ?? {}, "spec");
  const given = stringAt(spec, "preemptionPolicy");
  if (given !== "" && given !== computed) {
    throw notAdmitted(
      call,
      attempt,
      `the string value of PreemptionPolicy (${given}) must not be provided in pod spec; priority admission controller computed ${computed} from the given PriorityClass name`,
    );
  }
  spec.preemptionPolicy = computed;
}
