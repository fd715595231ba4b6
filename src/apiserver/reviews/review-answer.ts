import type { JsonObject } from "#api/kind.ts";
import { rfc3339 } from "#base/clock.ts";
import type { Answer } from "#apiserver/answer.ts";
import type { Call } from "#apiserver/call.ts";
import { objectAt } from "#apiserver/objects/json.ts";
import { stamp } from "#apiserver/objects/view.ts";
import type { UserInfo } from "#apiserver/request.ts";

/** A review as it was sent, with the answer as its status. */
export function reviewAnswer(call: Call, review: JsonObject, status: JsonObject): Answer {
  const creationTimestamp = rfc3339(call.server.clock.now());
  const metadata = { ...objectAt(review, "metadata"), creationTimestamp };
  const value: JsonObject = { ...review, metadata, status };
  stamp(value, call.kind);
  return { kind: "value", status: 201, value };
}

export function userObject(user: UserInfo): JsonObject {
  return {
    username: user.name,
    ...(user.uid && { uid: user.uid }),
    ...(user.groups.length > 0 && { groups: [...user.groups] }),
    ...(user.extra && {
      extra: Object.fromEntries(
        Object.entries(user.extra).map(([name, values]) => [name, [...values]]),
      ),
    }),
  };
}
