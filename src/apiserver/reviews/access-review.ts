import type { JsonObject } from "#api/kind.ts";
import { invalid } from "#api/status.ts";
import type { Answer } from "#apiserver/answer.ts";
import type { Attributes } from "#apiserver/authorizer.ts";
import type { Call } from "#apiserver/call.ts";
import { readObjectBody } from "#apiserver/content/decode.ts";
import { isObject, objectAt, objectsAt, stringAt, stringsAt } from "#apiserver/objects/json.ts";
import { reviewAnswer } from "#apiserver/reviews/review-answer.ts";
import { reviewProblems, type ReviewRules } from "#apiserver/reviews/review-problems.ts";
import type { UserInfo } from "#apiserver/request.ts";

/** May the caller do this? `kubectl auth can-i`. */
export async function reviewOwnAccess(call: Call): Promise<Answer> {
  return review(call, await readReview(call, { ofSubject: false }), call.user);
}

/** May this user do this? */
export async function reviewAccess(call: Call): Promise<Answer> {
  const sent = await readReview(call, { ofSubject: true });
  return review(call, sent, subjectOf(objectAt(sent, "spec")));
}

/** May this user do this in this namespace? */
export async function reviewLocalAccess(call: Call): Promise<Answer> {
  const sent = await readReview(call, { ofSubject: true, namespace: call.info.namespace });
  return review(call, sent, subjectOf(objectAt(sent, "spec")));
}

async function readReview(call: Call, rules: ReviewRules): Promise<JsonObject> {
  const sent = await readObjectBody(call, call.kind);
  const problems = reviewProblems(sent, rules);
  if (problems.length > 0) throw invalid(call.kind, "", problems);
  return sent;
}

async function review(call: Call, sent: JsonObject, user: UserInfo): Promise<Answer> {
  const attributes = attributesOf(objectAt(sent, "spec"), user);
  const { allowed, denied, reason } = await call.server.authorizer.authorize(attributes);
  return reviewAnswer(call, sent, {
    allowed,
    ...(denied && { denied }),
    ...(reason !== "" && { reason }),
  });
}

function attributesOf(spec: JsonObject, user: UserInfo): Attributes {
  const { resourceAttributes } = spec;
  const from = isObject(resourceAttributes)
    ? resourceAttributes
    : objectAt(spec, "nonResourceAttributes");
  const [verb, path] = [stringAt(from, "verb"), stringAt(from, "path")];
  if (!isObject(resourceAttributes)) {
    const none = { group: "", version: "", resource: "", subresource: "", namespace: "", name: "" };
    return { user, verb, isResource: false, path, ...none };
  }
  return {
    user,
    verb,
    isResource: true,
    group: stringAt(from, "group"),
    version: stringAt(from, "version"),
    resource: stringAt(from, "resource"),
    subresource: stringAt(from, "subresource"),
    namespace: stringAt(from, "namespace"),
    name: stringAt(from, "name"),
    path: "",
    fieldSelector: fieldSelectorOf(objectAt(from, "fieldSelector")),
  };
}

/** In the form of a query, however it was sent. Terms that a query cannot say narrow nothing. */
function fieldSelectorOf(selector: JsonObject): string {
  const raw = stringAt(selector, "rawSelector");
  if (raw !== "") return raw;
  const terms = objectsAt(selector, "requirements").flatMap((term) => {
    const [value, ...more] = stringsAt(term, "values");
    const exact = term.operator === "In" && value !== undefined && more.length === 0;
    return exact ? [`${stringAt(term, "key")}=${value}`] : [];
  });
  return terms.join(",");
}

function subjectOf(spec: JsonObject): UserInfo {
  const name = stringAt(spec, "user");
  const groups = stringsAt(spec, "groups");
  const uid = stringAt(spec, "uid");
  return { name, groups, ...(uid !== "" && { uid }) };
}
