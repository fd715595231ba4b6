import type { Pod } from "#api/generated/types.ts";
import type { JsonObject } from "#api/kind.ts";
import { StatusError } from "#api/status.ts";
import { qualityOfService } from "#api/strategies/core/pod/quality-of-service.ts";
import { isFor, type Attempt } from "#apiserver/admission/admission.ts";
import type { AdmissionPlugin } from "#apiserver/admission/admission-plugin.ts";
import type { PodTolerationsConfiguration } from "#apiserver/admission/configuration/pod-tolerations-configuration.ts";
import { namespaceAnnotation } from "#apiserver/admission/pod-placement/namespace-annotation.ts";
import { areAllowed, mergeTolerations } from "#apiserver/admission/tolerations.ts";
import type { Call } from "#apiserver/call.ts";
import { ensureObject, isObject, objectAt, objectsAt } from "#apiserver/objects/json.ts";

/**
 * A namespace's annotations give its pods tolerations, and say which ones they may have; where they are absent, the
 * configuration does.
 */
export function createPodTolerations(
  { defaults, allowed }: PodTolerationsConfiguration = { defaults: [], allowed: [] },
): AdmissionPlugin {
  const assertAllowed = (call: Call, { object }: Attempt): void => {
    const own = objectsAt(objectAt(object, "spec"), "tolerations");
    if (areAllowed(own, tolerationsIn(call, "tolerationsWhitelist") ?? allowed)) return;
    throw refusal(
      "pod tolerations (possibly merged with namespace default tolerations) conflict with its namespace whitelist",
    );
  };
  return {
    name: "PodTolerationRestriction",
    mutate(call, attempt) {
      if (attempt.object === undefined || !isConcerned(call, attempt)) return;
      const spec = ensureObject(attempt.object, "spec");
      const isNew = attempt.operation === "CREATE";
      const added = isNew ? [...(tolerationsIn(call, "defaultTolerations") ?? defaults)] : [];
      if (qualityOfService(spec as NonNullable<Pod["spec"]> & JsonObject) !== "BestEffort")
        added.push(memoryPressure);
      if (added.length > 0)
        spec.tolerations = mergeTolerations(objectsAt(spec, "tolerations"), added);
      assertAllowed(call, attempt);
    },
    validate(call, attempt) {
      if (isConcerned(call, attempt)) assertAllowed(call, attempt);
    },
  };
}

const memoryPressure = {
  key: "node.kubernetes.io/memory-pressure",
  operator: "Exists",
  effect: "NoSchedule",
};

function isConcerned(call: Call, { operation }: Attempt): boolean {
  return (operation === "CREATE" || operation === "UPDATE") && isFor(call, "", "pods");
}

/** Undefined where the annotation is absent; an empty one is an empty list. */
function tolerationsIn(call: Call, name: string): readonly JsonObject[] | undefined {
  const text = namespaceAnnotation(call, `scheduler.alpha.kubernetes.io/${name}`);
  if (text === undefined || text === "") return text === undefined ? undefined : [];
  try {
    const parsed: unknown = JSON.parse(text);
    return Array.isArray(parsed) ? parsed.filter(isObject) : [];
  } catch (error) {
    throw refusal(error instanceof Error ? error.message : String(error));
  }
}

/** Upstream answers these with a 500 without a reason. */
function refusal(message: string): StatusError {
  return new StatusError({ code: 500, reason: "", message });
}
