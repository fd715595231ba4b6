import type { LabelSelector } from "#api/generated/types.ts";
import type { LabelMatcher } from "#api/selector/label-requirement.ts";
import type { StatusError } from "#api/status.ts";
import { otherForms, ownForm, type Form } from "#apiserver/admission/matching/equivalents.ts";
import { matchesRule, type Rule } from "#apiserver/admission/matching/rules.ts";
import {
  refusalOf,
  selectorOf,
  selectsNamespace,
  selectsObject,
} from "#apiserver/admission/matching/selectors.ts";
import type { Target } from "#apiserver/admission/matching/target.ts";

/** Which requests a webhook, a policy or a binding is about: `MatchResources` in its widest form. */
export interface MatchSpec {
  readonly namespaceSelector?: LabelSelector;
  readonly objectSelector?: LabelSelector;
  /** `undefined`: all of them. */
  readonly rules?: readonly Rule[];
  readonly excludeRules?: readonly Rule[];
  /** Default Equivalent. */
  readonly matchPolicy?: string;
}

/** A `MatchSpec` that is ready to be asked. */
export interface Matching {
  readonly spec: MatchSpec;
  readonly namespaces: LabelMatcher;
  readonly objects: LabelMatcher;
}

/** Throws a 400 for a selector that cannot be read. */
export function matchingOf(spec: MatchSpec): Matching {
  return {
    spec,
    namespaces: selectorOf(spec.namespaceSelector),
    objects: selectorOf(spec.objectSelector),
  };
}

/**
 * The form in which the matching sees the target; undefined when it is not about it. A namespace that is not there
 * is a 404, but only where everything else matches.
 */
export function matchedForm(matching: Matching, target: Target): Form | undefined {
  const { spec } = matching;
  const inNamespace = attempted(() => selectsNamespace(matching.namespaces, target));
  if (inNamespace === false || !selectsObject(matching.objects, target)) return undefined;
  const excluded = spec.excludeRules ?? [];
  if (excluded.length > 0 && ruledForm(excluded, spec, target)) return undefined;
  const form = spec.rules === undefined ? ownForm(target) : ruledForm(spec.rules, spec, target);
  if (form !== undefined && inNamespace !== true) throw inNamespace;
  return form;
}

/** Rules about the resource as it was asked for come before those about one of its equivalents. */
function ruledForm(rules: readonly Rule[], spec: MatchSpec, target: Target): Form | undefined {
  if (rules.some((rule) => matchesRule(rule, target, target.resource))) return ownForm(target);
  if (spec.matchPolicy === "Exact") return undefined;
  const others = otherForms(target);
  for (const rule of others.length === 0 ? [] : rules) {
    const form = others.find(({ resource }) => matchesRule(rule, target, resource));
    if (form !== undefined) return form;
  }
  return undefined;
}

function attempted(act: () => boolean): boolean | StatusError {
  try {
    return act();
  } catch (error) {
    return refusalOf(error);
  }
}
