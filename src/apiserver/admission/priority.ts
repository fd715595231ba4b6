import type { JsonObject } from "#api/kind.ts";
import { forbidden } from "#api/status.ts";
import { isFor, type Attempt } from "#apiserver/admission/admission.ts";
import { resourcePrefix } from "#apiserver/cache/store-cache.ts";
import type { Call } from "#apiserver/call.ts";
import { ensureObject, numberAt, objectAt, stringAt } from "#apiserver/objects/json.ts";
import { lookUp } from "#apiserver/objects/read.ts";

const priorityClasses = { group: "scheduling.k8s.io", resource: "priorityclasses" };

/** Turns the name of a new pod's priority class into its number. */
export function priority(call: Call, { operation, object }: Attempt): void {
  if (operation !== "CREATE" || object === undefined || !isFor(call, "", "pods")) return;
  const spec = ensureObject(object, "spec");
  const found = classOf(call, object, stringAt(spec, "priorityClassName"));
  const value = numberAt(found, "value") ?? 0;
  const given = numberAt(spec, "priority");
  if (given !== undefined && given !== value) {
    throw refusal(
      call,
      object,
      `the integer value of priority (${given}) must not be provided in pod spec; priority admission controller computed ${value} from the given PriorityClass name`,
    );
  }
  spec.priority = value;
  if (found !== undefined) spec.priorityClassName = stringAt(objectAt(found, "metadata"), "name");
  settlePolicy(call, object, stringAt(found, "preemptionPolicy") || "PreemptLowerPriority");
}

function classOf(call: Call, pod: JsonObject, name: string): JsonObject | undefined {
  if (name === "") return globalDefault(call);
  const found = lookUp(call.server, priorityClasses, { name });
  if (found !== undefined) return found;
  throw refusal(call, pod, `no PriorityClass with name ${name} was found`);
}

/** Of several defaults the lowest counts, as upstream. */
function globalDefault(call: Call): JsonObject | undefined {
  const prefix = resourcePrefix(priorityClasses);
  const all = call.server.cache.resource(prefix).list(prefix);
  const defaults = all.map((stored) => stored.object).filter((one) => one.globalDefault === true);
  return defaults.toSorted((a, b) => (numberAt(a, "value") ?? 0) - (numberAt(b, "value") ?? 0))[0];
}

function settlePolicy(call: Call, pod: JsonObject, computed: string): void {
  const spec = ensureObject(pod, "spec");
  const given = stringAt(spec, "preemptionPolicy");
  if (given !== "" && given !== computed) {
    throw refusal(
      call,
      pod,
      `the string value of PreemptionPolicy (${given}) must not be provided in pod spec; priority admission controller computed ${computed} from the given PriorityClass name`,
    );
  }
  spec.preemptionPolicy = computed;
}

function refusal(call: Call, pod: JsonObject, why: string): Error {
  return forbidden(call.kind, stringAt(objectAt(pod, "metadata"), "name"), why);
}
