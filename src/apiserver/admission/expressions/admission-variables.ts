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

/** The values of `object`, `oldObject`, `request` and the like; `variables` are those of a policy. */
export function admissionVariables(shown: Shown, variables?: Value): Variables {
  const scope: object = new AdmissionScope(shown, variables);
  return scope as Variables;
}

/** A class, so that every expression meets the same shape; what few ask for is made when one does. */
class AdmissionScope {
  readonly object: Value;
  readonly oldObject: Value;
  readonly params: Value;
  readonly variables: Value | undefined;
  readonly #shown: Shown;
  #request: Value | undefined;
  #namespace: Value | undefined;

  constructor(shown: Shown, variables: Value | undefined) {
    this.object = shown.object ?? null;
    this.oldObject = shown.old ?? null;
    this.params = shown.params ?? null;
    this.variables = variables;
    this.#shown = shown;
  }

  get request(): Value {
    return (this.#request ??= requestValue(this.#shown));
  }

  get namespaceObject(): Value {
    const { namespace } = this.#shown;
    if (namespace === undefined) return null;
    return (this.#namespace ??= visibleNamespace(namespace));
  }

  get authorizer(): Value {
    return authorizerValue(this.#shown.answers.ask);
  }

  get ["authorizer.requestResource"](): Value {
    const { target, answers } = this.#shown;
    return requestResourceValue(askedResource(target), answers.ask);
  }
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
