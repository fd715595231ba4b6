import { isFor, type Attempt } from "#apiserver/admission/admission.ts";
import type { Call } from "#apiserver/call.ts";
import { ensureObject, objectsAt, stringAt } from "#apiserver/objects/json.ts";
import type { JsonObject } from "#api/kind.ts";

/** A pod that says nothing of it stays five minutes on a node that is not ready or cannot be reached. */
export function defaultTolerations(call: Call, { operation, object }: Attempt): void {
  if (operation === "DELETE" || object === undefined || !isFor(call, "", "pods")) return;
  if (call.subresource !== undefined) return;
  const spec = ensureObject(object, "spec");
  const tolerations = objectsAt(spec, "tolerations");
  const missing = keys.filter((key) => !tolerations.some((one) => tolerates(one, key)));
  if (missing.length === 0) return;
  const added = missing.map((key) => ({
    key,
    operator: "Exists",
    effect: "NoExecute",
    tolerationSeconds,
  }));
  spec.tolerations = [...tolerations, ...added];
}

const keys = ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"];
const tolerationSeconds = 300;

function tolerates(toleration: JsonObject, taintKey: string): boolean {
  const key = stringAt(toleration, "key");
  const effect = stringAt(toleration, "effect");
  return (key === taintKey || key === "") && (effect === "NoExecute" || effect === "");
}
