import type { LabelSelector, PodAffinityTerm, PodAntiAffinity } from "#api/generated/types.ts";
import type { Labels } from "#api/selector/label-requirement.ts";
import { labelSelectorMatcher } from "#api/selector/label-selector.ts";
import type { PodShape } from "#scheduler/topology/pod-shape.ts";

/** A term of pod affinity with all that it means written out. */
export interface AffinityTerm {
  /** Equal for terms that match the same pods in the same domains. */
  readonly key: string;
  readonly topologyKey: string;
  /** True when the answer changes with the labels of namespaces. */
  readonly readsNamespaces: boolean;
  readonly matches: (pod: PodShape) => boolean;
}

export interface WeightedTerm {
  readonly term: AffinityTerm;
  /** Below zero for anti-affinity. */
  readonly weight: number;
}

/** All terms of one pod. */
export interface ShapeTerms {
  readonly affinity: readonly AffinityTerm[];
  readonly antiAffinity: readonly AffinityTerm[];
  readonly preferred: readonly WeightedTerm[];
}

export type NamespaceLabels = (namespace: string) => Labels | undefined;

export function termsOfShape(shape: PodShape, namespaceLabels: NamespaceLabels): ShapeTerms {
  const { podAffinity, podAntiAffinity } = shape.affinity ?? {};
  const parse = (term: PodAffinityTerm): AffinityTerm => parseTerm(term, shape, namespaceLabels);
  const weighted = (terms: PodAntiAffinity | undefined, sign: 1 | -1): readonly WeightedTerm[] =>
    (terms?.preferredDuringSchedulingIgnoredDuringExecution ?? []).map(
      ({ podAffinityTerm, weight }) => ({ term: parse(podAffinityTerm), weight: sign * weight }),
    );
  const required = (terms: PodAntiAffinity | undefined): readonly AffinityTerm[] =>
    (terms?.requiredDuringSchedulingIgnoredDuringExecution ?? []).map(parse);
  return {
    affinity: required(podAffinity),
    antiAffinity: required(podAntiAffinity),
    preferred: [...weighted(podAffinity, 1), ...weighted(podAntiAffinity, -1)],
  };
}

function parseTerm(
  term: PodAffinityTerm,
  owner: PodShape,
  namespaceLabels: NamespaceLabels,
): AffinityTerm {
  const { topologyKey, namespaceSelector, matchLabelKeys, mismatchLabelKeys } = term;
  const given = term.namespaces ?? [];
  const own = given.length === 0 && namespaceSelector === undefined;
  const names = own ? [owner.namespace] : given.toSorted();
  const selector = withLabelKeys(term.labelSelector, owner.labels, {
    ...(matchLabelKeys && { same: matchLabelKeys }),
    ...(mismatchLabelKeys && { other: mismatchLabelKeys }),
  });
  const matcher = labelSelectorMatcher(selector);
  const inNamespaces = labelSelectorMatcher(namespaceSelector);
  const readsNamespaces = namespaceSelector !== undefined && !inNamespaces.matchesEverything;
  return {
    key: JSON.stringify([names, namespaceSelector, selector, topologyKey]),
    topologyKey,
    readsNamespaces,
    matches({ namespace, labels }) {
      if (!names.includes(namespace)) {
        if (namespaceSelector === undefined) return false;
        if (readsNamespaces && !inNamespaces.matches(namespaceLabels(namespace))) return false;
      }
      return matcher.matches(labels);
    },
  };
}

/**
 * A selector narrowed to pods that have (`same`), or do not have (`other`), a pod's own values of some labels. Labels
 * that the pod lacks do not narrow.
 */
export function withLabelKeys(
  selector: LabelSelector | undefined,
  labels: Labels,
  keys: { readonly same?: readonly string[]; readonly other?: readonly string[] },
): LabelSelector | undefined {
  if (selector === undefined) return undefined;
  const requirements = (names: readonly string[], operator: "In" | "NotIn") =>
    names.flatMap((key) => {
      const value = labels[key];
      return value === undefined ? [] : [{ key, operator, values: [value] }];
    });
  const more = [...requirements(keys.same ?? [], "In"), ...requirements(keys.other ?? [], "NotIn")];
  if (more.length === 0) return selector;
  return { ...selector, matchExpressions: [...(selector.matchExpressions ?? []), ...more] };
}
