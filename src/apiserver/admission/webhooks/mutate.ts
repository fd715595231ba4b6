import type { Json } from "#api/meta.ts";
import type { JsonObject } from "#api/kind.ts";
import { applyJsonPatch } from "#api/patch/json-patch.ts";
import { internalError } from "#api/status.ts";
import { roundsFor, type Rounds } from "#apiserver/admission/admission.ts";
import { matchedForm } from "#apiserver/admission/matching/matching.ts";
import { annotate } from "#apiserver/audit-notes.ts";
import { decodePatch, type Verdict } from "#apiserver/admission/webhooks/admission-review.ts";
import { callWebhook } from "#apiserver/admission/webhooks/call-webhook.ts";
import { CallFailure } from "#apiserver/admission/webhooks/failures.ts";
import { inForm, observed, type Invocation } from "#apiserver/admission/webhooks/invocation.ts";
import { meetsConditions } from "#apiserver/admission/webhooks/match-conditions.ts";
import { takeOver } from "#apiserver/admission/webhooks/take-over.ts";
import type { Dispatching } from "#apiserver/admission/webhooks/webhook-admission.ts";
import { cloneJson, sameJson } from "#apiserver/objects/json.ts";

/**
 * Asks one webhook after the other; each sees what those before it made of the object. A change brings back, in a
 * second round, those asked before it that want that.
 */
export async function mutate(dispatching: Dispatching): Promise<void> {
  const { hooks, target } = dispatching;
  const rounds = roundsFor(target.attempt);
  const turns = turnsIn(rounds);
  const { object } = target.attempt;
  if (rounds.isSecond && !sameJson(turns.lastSeen, object)) turns.callBack();
  for (const [index, hook] of hooks.entries()) {
    const form = matchedForm(hook.matching, target);
    if (form === undefined || (rounds.isSecond && !turns.again.has(hook.uid))) continue;
    const invocation = { hook, form, index };
    if (!(await meetsConditions(dispatching, invocation))) continue;
    if (await changes(dispatching, invocation, rounds)) {
      turns.callBack();
      rounds.again = true;
    }
    if (hook.again) turns.invoked.add(hook.uid);
  }
  turns.lastSeen = cloneJson(object);
}

/** Which webhooks have been asked, and which of them are to be asked again. */
class Turns {
  readonly invoked = new Set<string>();
  readonly again = new Set<string>();
  lastSeen: JsonObject | undefined;

  callBack(): void {
    for (const uid of this.invoked) this.again.add(uid);
    this.invoked.clear();
  }
}

const turnsKey = Symbol("webhooks");

function turnsIn(rounds: Rounds): Turns {
  let turns = rounds.notes.get(turnsKey);
  if (!(turns instanceof Turns)) {
    turns = new Turns();
    rounds.notes.set(turnsKey, turns);
  }
  return turns as Turns;
}

async function changes(
  dispatching: Dispatching,
  invocation: Invocation,
  { isSecond }: Rounds,
): Promise<boolean> {
  const { target } = dispatching;
  const { hook, index } = invocation;
  const outcome: Outcome = { patch: undefined, changed: false };
  await observed(dispatching, invocation, () => askAndPatch(dispatching, invocation, outcome));
  const round = `round_${isSecond ? 1 : 0}_index_${index}`;
  const named = { configuration: hook.configuration, webhook: hook.name };
  annotate(
    target.call.request,
    `mutation.webhook.admission.k8s.io/${round}`,
    JSON.stringify({ ...named, mutated: outcome.changed }),
  );
  if (outcome.patch !== undefined) {
    const value = JSON.stringify({ ...named, patch: outcome.patch, patchType: "JSONPatch" });
    annotate(target.call.request, `patch.webhook.admission.k8s.io/${round}`, value);
  }
  return outcome.changed;
}

interface Outcome {
  patch: Json | undefined;
  changed: boolean;
}

/** In place: what the webhook's patch makes of the object. */
async function askAndPatch(
  { target }: Dispatching,
  { hook, form }: Invocation,
  outcome: Outcome,
): Promise<void> {
  const { object, old } = target.attempt;
  const shown = await inForm(target, form, object);
  const asking = { target, form, object: shown, old: await inForm(target, form, old) };
  const verdict = await callWebhook(hook, asking);
  const patch = patchOf(hook.name, verdict);
  if (patch === undefined) return;
  if (object === undefined || shown === undefined) {
    throw internalError(
      `admission webhook ${JSON.stringify(hook.name)} attempted to modify the object, which is not supported for this operation`,
    );
  }
  const patched = applied(shown, patch);
  outcome.patch = patch;
  outcome.changed = await takeOver(target, form, { shown, patched });
}

function patchOf(webhook: string, { patch, patchType }: Verdict): Json | undefined {
  if (patch !== "" && patchType !== "JSONPatch") {
    throw new CallFailure(webhook, `unsupported patch type ${JSON.stringify(patchType)}`, 400);
  }
  try {
    return decodePatch(patch);
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CallFailure(webhook, `received undecodable patch in webhook response: ${why}`, 503);
  }
}

function applied(shown: JsonObject, patch: Json): Json {
  try {
    return applyJsonPatch(shown, patch);
  } catch (error) {
    throw internalError(error instanceof Error ? error.message : String(error));
  }
}
