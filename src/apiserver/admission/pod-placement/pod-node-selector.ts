import type { JsonObject } from "#api/kind.ts";
import { isFor, type Attempt } from "#apiserver/admission/admission.ts";
import type { AdmissionPlugin } from "#apiserver/admission/admission-plugin.ts";
import { namespaceAnnotation } from "#apiserver/admission/pod-placement/namespace-annotation.ts";
import type { Call } from "#apiserver/call.ts";
import { ensureObject, objectAt, stringAt } from "#apiserver/objects/json.ts";
import { forbidden, StatusError } from "#api/status.ts";

/** Pods of a namespace go to the nodes that its annotation selects: `env=production,disk=ssd`. */
export const podNodeSelector: AdmissionPlugin = {
  name: "PodNodeSelector",
  mutate(call, attempt) {
    if (attempt.object === undefined || !isNewPod(call, attempt)) return;
    const selector = selectorOf(call);
    assertNoConflict(call, attempt.object, selector);
    if (Object.keys(selector).length === 0) return;
    Object.assign(ensureObject(ensureObject(attempt.object, "spec"), "nodeSelector"), selector);
  },
  validate(call, attempt) {
    if (attempt.object === undefined || !isNewPod(call, attempt)) return;
    assertNoConflict(call, attempt.object, selectorOf(call));
  },
};

function isNewPod(call: Call, { operation }: Attempt): boolean {
  return operation === "CREATE" && isFor(call, "", "pods");
}

function selectorOf(call: Call): Readonly<Record<string, string>> {
  const text = namespaceAnnotation(call, "scheduler.alpha.kubernetes.io/node-selector") ?? "";
  const parts = text.split(",").filter((part) => part !== "");
  return Object.fromEntries(
    parts.map((part) => {
      const pieces = part.split("=");
      const [key = "", value = ""] = pieces;
      if (pieces.length !== 2) {
        // Upstream answers this with a 500 without a reason.
        const message = `invalid selector: [${pieces.join(" ")}]`;
        throw new StatusError({ code: 500, reason: "", message });
      }
      return [key.trim(), value.trim()];
    }),
  );
}

function assertNoConflict(
  { kind }: Call,
  pod: JsonObject,
  selector: Readonly<Record<string, string>>,
): void {
  const own = objectAt(objectAt(pod, "spec"), "nodeSelector");
  const conflicts = Object.entries(selector).some(
    ([key, value]) => own[key] !== undefined && own[key] !== value,
  );
  if (!conflicts) return;
  const name = stringAt(objectAt(pod, "metadata"), "name");
  throw forbidden(
    kind,
    name,
    "pod node label selector conflicts with its namespace node label selector",
  );
}
