import type { JsonObject } from "#api/kind.ts";
import { randomUid } from "#base/random.ts";
import type { Form } from "#apiserver/admission/matching/equivalents.ts";
import type { Target } from "#apiserver/admission/matching/target.ts";
import { annotate } from "#apiserver/audit-notes.ts";
import { AnswerError } from "#apiserver/answer-problem.ts";
import {
  readVerdict,
  reviewBody,
  reviewVersion,
  type Verdict,
} from "#apiserver/admission/webhooks/admission-review.ts";
import { CallFailure, Denial, noDryRun } from "#apiserver/admission/webhooks/failures.ts";
import type { Hook } from "#apiserver/admission/webhooks/hook.ts";
import { ask } from "#apiserver/webhook-client.ts";

/** What a webhook is to be asked about. */
export interface Asking {
  readonly target: Target;
  readonly form: Form;
  readonly object: JsonObject | undefined;
  readonly old: JsonObject | undefined;
}

/**
 * Asks a webhook whether the request may go on. Its warnings and annotations are taken over. Throws `CallFailure`
 * when it cannot be asked, `Denial` when it says no, a `StatusError` for a dry run that it does not support.
 */
export async function callWebhook(hook: Hook, asking: Asking): Promise<Verdict> {
  const { call } = asking.target;
  if (call.dryRun && !dryRunSafe.has(hook.sideEffects)) throw noDryRun(hook.name);
  const verdict = await verdictOf(hook, asking);
  for (const [key, value] of Object.entries(verdict.auditAnnotations)) {
    annotate(call.request, `${hook.name}/${key}`, value);
  }
  for (const warning of verdict.warnings) call.warnings.add(warning);
  if (!verdict.allowed) throw new Denial(hook.name, verdict.result);
  return verdict;
}

const dryRunSafe: ReadonlySet<string | undefined> = new Set(["None", "NoneOnDryRun"]);

async function verdictOf(hook: Hook, asking: Asking): Promise<Verdict> {
  const version = reviewVersion(hook.reviewVersions);
  if (version === undefined) {
    throw new CallFailure(
      hook.name,
      "could not create admission objects: webhook does not accept known AdmissionReview versions (v1, v1beta1)",
      400,
    );
  }
  const { server } = asking.target.call;
  const uid = randomUid(server.random);
  const answer = await answerOf(hook, asking, reviewBody({ ...asking, uid, version }));
  try {
    return readVerdict(answer, { uid, version, mayPatch: hook.phase === "admit" });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    throw new CallFailure(hook.name, `received invalid webhook response: ${why}`, 503);
  }
}

async function answerOf(hook: Hook, { target }: Asking, body: JsonObject): Promise<JsonObject> {
  const { server, request } = target.call;
  const { client, timeoutSeconds } = hook;
  try {
    const { signal } = request;
    return await ask(server, { client, body, timeoutSeconds, limitBytes, signal });
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const code = error instanceof AnswerError ? error.code : 503;
    throw new CallFailure(hook.name, `failed to call webhook: ${why}`, code);
  }
}

/** Patches come in base64: enough for one that writes a whole object of the largest size anew. */
const limitBytes = 8 * 1024 * 1024;
