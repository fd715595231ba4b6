import type { LabelSelector } from "#api/generated/types.ts";
import type { JsonObject } from "#api/kind.ts";
import type { LabelMatcher } from "#api/selector/label-requirement.ts";
import { labelSelectorMatcher } from "#api/selector/label-selector.ts";
import { internalError, notFound, StatusError } from "#api/status.ts";
import type { Target } from "#apiserver/admission/matching/target.ts";
import { objectAt } from "#apiserver/objects/json.ts";
import { lookUp } from "#apiserver/objects/read.ts";

/** An absent selector takes everything, unlike elsewhere in the API. */
export function selectorOf(selector: LabelSelector | undefined): LabelMatcher {
  return labelSelectorMatcher(selector ?? {});
}

const namespaces = { group: "", resource: "namespaces" };

/**
 * Whether the target's namespace, or the namespace that is the target, has the labels. What belongs to no namespace
 * passes. Throws a 404 when the namespace is not there.
 */
export function selectsNamespace(selector: LabelMatcher, target: Target): boolean {
  if (selector.matchesEverything) return true;
  if (target.namespace === "" && target.resource.resource !== "namespaces") return true;
  return selector.matches(namespaceLabels(target));
}

function namespaceLabels(target: Target): Labels {
  const { resource, subresource, operation, attempt, call } = target;
  const isWritten = operation === "CREATE" || operation === "UPDATE";
  if (resource.resource === "namespaces" && subresource === "" && isWritten) {
    return labelsOf(attempt.object);
  }
  const found = lookUp(call.server, namespaces, { name: target.namespace });
  if (found === undefined) throw notFound(namespaces, target.namespace);
  return labelsOf(found);
}

/** Whether the object has the labels, as it was or as it is to be. */
export function selectsObject(selector: LabelMatcher, { attempt }: Target): boolean {
  if (selector.matchesEverything) return true;
  const { object, old } = attempt;
  return (
    (object !== undefined && selector.matches(labelsOf(object))) ||
    (old !== undefined && selector.matches(labelsOf(old)))
  );
}

type Labels = Readonly<Record<string, string>>;

function labelsOf(object: JsonObject | undefined): Labels {
  return objectAt(objectAt(object, "metadata"), "labels") as Labels;
}

/** A failure to tell whether something matches, which counts only once all else does. */
export function refusalOf(error: unknown): StatusError {
  if (error instanceof StatusError) return error;
  return internalError(error instanceof Error ? error.message : String(error));
}
