import { ruleAllows, type PolicyRule } from "#api/rbac/policy-rule.ts";
import type { Asked } from "#addons/access/asked.ts";
import type { AccessState, Grant } from "#addons/access/grants.ts";

/** A way in: a grant and the first of its rules that allows. */
export interface Way {
  readonly grant: Grant;
  readonly rule: PolicyRule;
}

/** Everybody whom a role allows what is asked. `system:masters` may do everything and needs no role. */
export function whoCan({ grants }: AccessState, asked: Asked): readonly Way[] {
  return grants.flatMap((grant) => waysOf(grant, asked)).toSorted(byStrength);
}

export function waysOf(grant: Grant, asked: Asked): readonly Way[] {
  if (!covers(grant, asked)) return [];
  const rule = grant.rules?.find((one) => ruleAllows(one, asked));
  return rule ? [{ grant, rule }] : [];
}

/** A binding in a namespace says nothing about other namespaces, the cluster, or paths. */
function covers({ binding }: Grant, asked: Asked): boolean {
  return binding.namespace === "" || (asked.isResource && binding.namespace === asked.namespace);
}

function byStrength(a: Way, b: Way): number {
  return sortKey(a).localeCompare(sortKey(b));
}

/** Those with the whole cluster first, then by subject. */
function sortKey({ grant: { binding, subject } }: Way): string {
  return [binding.namespace, subject.kind, subject.namespace, subject.name, binding.name].join(" ");
}
