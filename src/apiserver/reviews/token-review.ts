import { badRequest } from "#api/status.ts";
import { authenticatedUser } from "#apiserver/authenticated-user.ts";
import type { Answer } from "#apiserver/answer.ts";
import type { Call } from "#apiserver/call.ts";
import { readObjectBody } from "#apiserver/content/decode.ts";
import { objectAt, stringAt, stringsAt } from "#apiserver/objects/json.ts";
import { reviewAnswer, userObject } from "#apiserver/reviews/review-answer.ts";

/** Tells whose token it is that the review holds. */
export async function reviewToken(call: Call): Promise<Answer> {
  const review = await readObjectBody(call, call.kind);
  const spec = objectAt(review, "spec");
  const token = stringAt(spec, "token");
  if (token === "") throw badRequest("token is required for TokenReview in authentication");
  const found = await call.server.tokenReviewer?.review(token, stringsAt(spec, "audiences"));
  if (found === undefined) {
    return reviewAnswer(call, review, {
      user: {},
      error: "the token is not known or no longer valid",
    });
  }
  return reviewAnswer(call, review, {
    authenticated: true,
    user: userObject(authenticatedUser(found.user)),
    audiences: [...found.audiences],
  });
}
