import type { Kind } from "#api/kind.ts";
import type { Answer } from "#apiserver/answer.ts";
import type { Call } from "#apiserver/call.ts";
import {
  reviewAccess,
  reviewLocalAccess,
  reviewOwnAccess,
} from "#apiserver/reviews/access-review.ts";
import { reviewOwnRules } from "#apiserver/reviews/rules-review.ts";
import { reviewSelf } from "#apiserver/reviews/self-review.ts";
import { reviewToken } from "#apiserver/reviews/token-review.ts";
import { bindByName } from "#apiserver/subresources/binding.ts";

/** Kinds that are answered and never stored; undefined for all others. */
export function reviewVerb(kind: Kind): ((call: Call) => Promise<Answer>) | undefined {
  return reviews[`${kind.group}/${kind.kind}`];
}

const reviews: Readonly<Record<string, (call: Call) => Promise<Answer>>> = {
  "/Binding": bindByName,
  "authentication.k8s.io/SelfSubjectReview": reviewSelf,
  "authentication.k8s.io/TokenReview": reviewToken,
  "authorization.k8s.io/LocalSubjectAccessReview": reviewLocalAccess,
  "authorization.k8s.io/SelfSubjectAccessReview": reviewOwnAccess,
  "authorization.k8s.io/SelfSubjectRulesReview": reviewOwnRules,
  "authorization.k8s.io/SubjectAccessReview": reviewAccess,
};
