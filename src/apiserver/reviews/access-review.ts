import type { JsonObject } from "#api/kind.ts";
import { badRequest, invalid } from "#api/status.ts";
import type { Answer } from "#apiserver/answer.ts";
import type { Attributes } from "#apiserver/authorizer.ts";
import type { Call } from "#apiserver/call.ts";
import { readObjectBody } from "#apiserver/content/decode.ts";
import { isObject, objectAt, objectsAt, stringAt, stringsAt } from "#apiserver/objects/json.ts";
import { reviewAnswer } from "#apiserver/reviews/review-answer.ts";
import type { UserInfo } from "#apiserver/request.ts";

/** May the caller do this? `kubectl auth can-i`. */
export async function reviewOwnAccess(call: Call): Promise<Answer> {
  return review(call, await readObjectBody(call, call.kind), call.user);
}

/** May this user do this? */
export async function reviewAccess(call: Call): Promise<Answer> {
  const sent = await readObjectBody(call, call.kind);
  return review(call, sent, subjectOf(call, objectAt(sent, "spec")));
}

/** May this user do this in this namespace? */
export async function reviewLocalAccess(call: Call): Promise<Answer> {
  const sent = await readObjectBody(call, call.kind);
  const spec = objectAt(sent, "spec");
  const namespace = stringAt(objectAt(spec, "resourceAttributes"), "namespace");
  if (namespace !== call.info.namespace) {
    throw badRequest(
      `spec.resourceAttributes.namespace must match namespace: ${call.info.namespace}`,
    );
  }
  return review(call, sent, subjectOf(call, spec));
}

async function review(call: Call, sent: JsonObject, user: UserInfo): Promise<Answer> {
  const attributes = attributesOf(call, objectAt(sent, "spec"), user);
  const { allowed, reason } = await call.server.authorizer.authorize(attributes);
  return reviewAnswer(call, sent, { allowed, ...(reason !== "" && { reason }) });
}

function attributesOf(call: Call, spec: JsonObject, user: UserInfo): Attributes {
  const { resourceAttributes, nonResourceAttributes } = spec;
  if (isObject(resourceAttributes) === isObject(nonResourceAttributes)) {
    throw invalid(call.kind, "", [
      {
        reason: "FieldValueInvalid",
        message:
          "Invalid value: null: exactly one of nonResourceAttributes or resourceAttributes must be specified",
        field: "spec.resourceAttributes",
      },
    ]);
  }
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

function subjectOf(call: Call, spec: JsonObject): UserInfo {
  const name = stringAt(spec, "user");
  const groups = stringsAt(spec, "groups");
  if (name === "" && groups.length === 0) {
    throw invalid(call.kind, "", [
      {
        reason: "FieldValueInvalid",
        message: 'Invalid value: "": at least one of user or group must be specified',
        field: "spec.user",
      },
    ]);
  }
  const uid = stringAt(spec, "uid");
  return { name, groups, ...(uid !== "" && { uid }) };
}
