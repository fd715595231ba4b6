import { matchedForm } from "#apiserver/admission/matching/matching.ts";
import { callWebhook } from "#apiserver/admission/webhooks/call-webhook.ts";
import { inForm, observed, type Invocation } from "#apiserver/admission/webhooks/invocation.ts";
import { meetsConditions } from "#apiserver/admission/webhooks/match-conditions.ts";
import type { Dispatching } from "#apiserver/admission/webhooks/webhook-admission.ts";

/** Asks all webhooks that are concerned at once; the first in order that refuses is the one that is told. */
export async function validate(dispatching: Dispatching): Promise<void> {
  const invocations = await concerned(dispatching);
  const outcomes = await Promise.allSettled(
    invocations.map((invocation) => ask(dispatching, invocation)),
  );
  for (const outcome of outcomes) if (outcome.status === "rejected") throw outcome.reason;
}

async function concerned(dispatching: Dispatching): Promise<readonly Invocation[]> {
  const { hooks, target } = dispatching;
  const found: Invocation[] = [];
  for (const hook of hooks) {
    const form = matchedForm(hook.matching, target);
    if (form === undefined) continue;
    const invocation = { hook, form, index: found.length };
    if (await meetsConditions(dispatching, invocation)) found.push(invocation);
  }
  return found;
}

async function ask(dispatching: Dispatching, invocation: Invocation): Promise<void> {
  const { target } = dispatching;
  const { hook, form } = invocation;
  const { object, old } = target.attempt;
  await observed(dispatching, invocation, async () =>
    callWebhook(hook, {
      target,
      form,
      object: await inForm(target, form, object),
      old: await inForm(target, form, old),
    }),
  );
}
