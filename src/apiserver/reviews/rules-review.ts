import { badRequest } from "#api/status.ts";
import type { Answer } from "#apiserver/answer.ts";
import type { Call } from "#apiserver/call.ts";
import { readObjectBody } from "#apiserver/content/decode.ts";
import { objectAt, stringAt } from "#apiserver/objects/json.ts";
import { reviewAnswer } from "#apiserver/reviews/review-answer.ts";

/** What all may the caller do in a namespace? `kubectl auth can-i --list`. */
export async function reviewOwnRules(call: Call): Promise<Answer> {
  const review = await readObjectBody(call, call.kind);
  const namespace = stringAt(objectAt(review, "spec"), "namespace");
  if (namespace === "") throw badRequest("no namespace on request");
  const rules = await call.server.authorizer.rules?.(call.user, namespace);
  if (rules === undefined) {
    return reviewAnswer(call, review, {
      resourceRules: [],
      nonResourceRules: [],
      incomplete: true,
      evaluationError: "the authorizer does not support rule enumeration",
    });
  }
  return reviewAnswer(call, review, {
    resourceRules: rules.resourceRules.map((rule) => ({ ...rule })),
    nonResourceRules: rules.nonResourceRules.map((rule) => ({ ...rule })),
    incomplete: rules.incomplete !== undefined,
    ...(rules.incomplete !== undefined && { evaluationError: rules.incomplete }),
  });
}
