import { authorizerValue, requestResourceValue } from "#api/cel/library/authorizer.ts";
import type { Variables } from "#api/cel/run/frame.ts";
import type { Value } from "#api/cel/value.ts";
import type { JsonObject } from "#api/kind.ts";
import type { AuthorizerAnswers } from "#apiserver/admission/expressions/authorizer-answers.ts";
import type { Form } from "#apiserver/admission/matching/equivalents.ts";
import type { Target } from "#apiserver/admission/matching/target.ts";
import { requestOptions } from "#apiserver/admission/request-options.ts";
import { objectAt } from "#apiserver/objects/json.ts";
import { userObject } from "#apiserver/reviews/review-answer.ts";

/** A request as the expressions of webhooks and policies see it. */
export interface Shown {
  readonly target: Target;
  readonly form: Form;
  readonly object: JsonObject | undefined;
  readonly old: JsonObject | undefined;
  readonly answers: AuthorizerAnswers;
  /** Undefined: at the cluster scope. */
  readonly namespace?: JsonObject | undefined;
  readonly params?: JsonObject | undefined;
}

/** The values of `object`, `oldObject`, `request` and the like. */
export function admissionVariables(shown: Shown): Variables {
  const { object, old, answers, namespace, params } = shown;
  let request: Value | undefined;
  return {
    object: object ?? null,
    oldObject: old ?? null,
    get request() {
      return (request ??= requestValue(shown));
    },
    namespaceObject: namespace === undefined ? null : visibleNamespace(namespace),
    params: params ?? null,
    authorizer: authorizerValue(answers.ask),
    "authorizer.requestResource": requestResourceValue(askedResource(shown.target), answers.ask),
  };
}

function requestValue({ target, form }: Shown): Value {
  const { subresource, call } = target;
  return {
    kind: { ...form.kind },
    resource: { ...form.resource },
    subResource: subresource,
    requestKind: { ...target.kind },
    requestResource: { ...target.resource },
    requestSubResource: subresource,
    name: target.name,
    namespace: target.namespace,
    operation: target.operation,
    userInfo: userObject(call.user),
    dryRun: call.dryRun,
    options: requestOptions(call, target.attempt) ?? null,
  };
}

function askedResource({ resource, subresource, namespace, name }: Target) {
  return { group: resource.group, resource: resource.resource, subresource, namespace, name };
}

const visibleMetadata = [
  "name",
  "generateName",
  "namespace",
  "labels",
  "annotations",
  "uid",
  "creationTimestamp",
  "deletionGracePeriodSeconds",
  "deletionTimestamp",
  "generation",
  "resourceVersion",
  "finalizers",
];

function visibleNamespace(namespace: JsonObject): Value {
  const metadata = objectAt(namespace, "metadata");
  const shown = visibleMetadata.filter((name) => Object.hasOwn(metadata, name));
  return {
    metadata: Object.fromEntries(shown.map((name) => [name, metadata[name] ?? null])),
    spec: objectAt(namespace, "spec"),
    status: objectAt(namespace, "status"),
  };
}
