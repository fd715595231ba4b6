import type { Answer } from "#apiserver/answer.ts";
import type { Call } from "#apiserver/call.ts";
import { readObjectBody } from "#apiserver/content/decode.ts";
import { reviewAnswer, userObject } from "#apiserver/reviews/review-answer.ts";

/** Tells callers who the server takes them for: `kubectl auth whoami`. */
export async function reviewSelf(call: Call): Promise<Answer> {
  const review = await readObjectBody(call, call.kind);
  return reviewAnswer(call, review, { userInfo: userObject(call.user) });
}
