import { forbidden } from "#api/status.ts";
import { AuthorizerAnswers } from "#apiserver/admission/expressions/authorizer-answers.ts";
import { meetsAll } from "#apiserver/admission/expressions/match-conditions.ts";
import { inForm, type Invocation } from "#apiserver/admission/webhooks/invocation.ts";
import type { Dispatching } from "#apiserver/admission/webhooks/webhook-admission.ts";

/**
 * Whether the conditions of the webhook let it be asked about this request. Where one cannot be evaluated the
 * failure policy says whether the request is refused, or goes on without this webhook.
 */
export async function meetsConditions(
  { target, metrics }: Dispatching,
  { hook, form }: Invocation,
): Promise<boolean> {
  if (hook.conditions.length === 0) return true;
  const { server, user } = target.call;
  const { operation, attempt, resource, name } = target;
  const startMs = server.clock.now();
  const { met, error } = await meetsAll(hook.conditions, {
    target,
    form,
    object: await inForm(target, form, attempt.object),
    old: await inForm(target, form, attempt.old),
    answers: new AuthorizerAnswers(server.authorizer, user),
  });
  metrics.conditionsTook(hook, operation, (server.clock.now() - startMs) / 1_000);
  if (error !== undefined) {
    metrics.conditionFailed(hook, operation);
    if (hook.ignoresFailures) return false;
    throw forbidden(resource, name, error);
  }
  if (!met) metrics.excluded(hook, operation);
  return met;
}
