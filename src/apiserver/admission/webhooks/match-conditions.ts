import type { Invocation } from "#apiserver/admission/webhooks/invocation.ts";
import type { Dispatching } from "#apiserver/admission/webhooks/webhook-admission.ts";

/** Whether the conditions of the webhook let it be asked about this request. */
export async function meetsConditions(
  _dispatching: Dispatching,
  { hook }: Invocation,
): Promise<boolean> {
  return hook.conditions.length === 0;
}
