import type { Json } from "#api/meta.ts";
import type { JsonObject } from "#api/kind.ts";
import type { Form } from "#apiserver/admission/matching/equivalents.ts";
import type { Target } from "#apiserver/admission/matching/target.ts";
import { requestOptions } from "#apiserver/admission/request-options.ts";
import { isObject, objectAt, stringAt, stringsAt } from "#apiserver/objects/json.ts";
import { userObject } from "#apiserver/reviews/review-answer.ts";

/** What a webhook is asked: the request in the form it wants to see it in. */
export interface Review {
  readonly uid: string;
  /** `v1` or `v1beta1`. */
  readonly version: string;
  readonly target: Target;
  readonly form: Form;
  readonly object: JsonObject | undefined;
  readonly old: JsonObject | undefined;
}

/** The newest of the versions a webhook names, in its order, that there is. */
export function reviewVersion(accepted: readonly string[]): string | undefined {
  return accepted.find((version) => version === "v1" || version === "v1beta1");
}

export function reviewBody(review: Review): JsonObject {
  const { uid, version, target, form } = review;
  const { subresource } = target;
  return {
    kind: "AdmissionReview",
    apiVersion: `admission.k8s.io/${version}`,
    request: {
      uid,
      kind: { ...form.kind },
      resource: { ...form.resource },
      ...(subresource !== "" && { subResource: subresource }),
      requestKind: { ...target.kind },
      requestResource: { ...target.resource },
      ...(subresource !== "" && { requestSubResource: subresource }),
      ...(target.name !== "" && { name: target.name }),
      ...(target.namespace !== "" && { namespace: target.namespace }),
      operation: target.operation,
      userInfo: userObject(target.call.user),
      object: review.object ?? null,
      oldObject: review.old ?? null,
      dryRun: target.call.dryRun,
      options: requestOptions(target.call, target.attempt) ?? null,
    },
  };
}

/** What a webhook says, checked. */
export interface Verdict {
  readonly allowed: boolean;
  readonly result: JsonObject | undefined;
  /** In base64; "" when there is none. */
  readonly patch: string;
  readonly patchType: string;
  readonly auditAnnotations: Readonly<Record<string, string>>;
  readonly warnings: readonly string[];
}

interface Expected {
  readonly uid: string;
  readonly version: string;
  readonly mayPatch: boolean;
}

/** Throws an `Error` for an answer that breaks the rules of its version. */
export function readVerdict(answer: JsonObject, expected: Expected): Verdict {
  const response = answer.response;
  if (!isObject(response)) throw new Error("webhook response was absent");
  if (expected.version === "v1") assertStrict(answer, response, expected);
  const { status } = response;
  return {
    allowed: response.allowed === true,
    result: isObject(status) ? status : undefined,
    patch: expected.mayPatch ? stringAt(response, "patch") : "",
    patchType: expected.version === "v1" ? stringAt(response, "patchType") : "JSONPatch",
    auditAnnotations: textsOf(objectAt(response, "auditAnnotations")),
    warnings: stringsAt(response, "warnings"),
  };
}

function textsOf(values: JsonObject): Readonly<Record<string, string>> {
  const texts = Object.entries(values).filter(([, value]) => typeof value === "string");
  return Object.fromEntries(texts) as Readonly<Record<string, string>>;
}

function assertStrict(answer: JsonObject, response: JsonObject, expected: Expected): void {
  const uid = stringAt(response, "uid");
  if (uid !== expected.uid) {
    throw new Error(
      `expected response.uid=${JSON.stringify(expected.uid)}, got ${JSON.stringify(uid)}`,
    );
  }
  const [kind, version] = [stringAt(answer, "kind"), stringAt(answer, "apiVersion")];
  if (kind !== "AdmissionReview" || version !== "admission.k8s.io/v1") {
    throw new Error(
      `expected webhook response of admission.k8s.io/v1, Kind=AdmissionReview, got ${version}, Kind=${kind}`,
    );
  }
  const hasPatch = stringAt(response, "patch") !== "";
  const { patchType } = response;
  const hasType = patchType !== undefined && patchType !== null;
  if (!expected.mayPatch) {
    if (hasPatch) throw new Error("validating webhook may not return response.patch");
    if (hasType) throw new Error("validating webhook may not return response.patchType");
    return;
  }
  if (hasPatch && !hasType) {
    throw new Error("webhook returned response.patch but not response.patchType");
  }
  if (!hasPatch && hasType) {
    throw new Error("webhook returned response.patchType but not response.patch");
  }
  if (patchType === "") throw new Error('webhook returned invalid response.patchType of ""');
}

/** The operations of a JSON patch in base64; undefined where they change nothing. */
export function decodePatch(patch: string): Json | undefined {
  if (patch === "") return undefined;
  const bytes = Uint8Array.from(atob(patch), (letter) => letter.charCodeAt(0));
  const operations = JSON.parse(new TextDecoder().decode(bytes)) as Json;
  return Array.isArray(operations) && operations.length === 0 ? undefined : operations;
}
