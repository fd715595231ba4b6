import { credentialsOf, type OutgoingAccess } from "#apiserver/outgoing-access.ts";
import type { Outgoing } from "#apiserver/outgoing.ts";

/** A service outside that answers reviews: `TokenReview`, `SubjectAccessReview`. */
export interface ReviewService {
  readonly url: string;
  /** @throws when there is no answer, or none that is a review */
  ask(review: object): Promise<object>;
}

const limitBytes = 1024 * 1024;
const attempts = 3;

export function createReviewService(
  access: OutgoingAccess,
  outgoing: Outgoing,
  timeoutMs: number,
): ReviewService {
  const { trust, headers: given } = credentialsOf(access);
  const headers = { ...given, accept: "application/json" };
  const once = async (body: Uint8Array): Promise<object> => {
    const answer = await outgoing.send({
      method: "POST",
      url: access.server,
      headers,
      body,
      trust,
      timeoutMs,
      limitBytes,
    });
    if (answer.status < 200 || answer.status > 299)
      throw new Error(`${access.server} answered ${answer.status}`);
    const value: unknown = JSON.parse(new TextDecoder().decode(answer.body));
    if (typeof value !== "object" || value === null)
      throw new Error(`${access.server} answered no review`);
    return value;
  };
  return {
    url: access.server,
    async ask(review) {
      const body = new TextEncoder().encode(JSON.stringify(review));
      for (let attempt = 1; ; attempt += 1) {
        try {
          return await once(body);
        } catch (error) {
          if (attempt >= attempts) throw error;
        }
      }
    },
  };
}
