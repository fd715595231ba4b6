import type { PolicyRule } from "#api/rbac/policy-rule.ts";
import type { AccessState, Grant } from "#addons/access/grants.ts";
import { reaches, type Identity } from "#addons/access/subjects.ts";

/** One line of all that somebody may do: the same verbs on the same things through the same binding. */
export interface Held {
  /** `""`: the whole cluster. */
  readonly namespace: string;
  readonly rule: PolicyRule;
  readonly grant: Grant;
}

/** Everything that roles allow somebody, the whole cluster first, and bindings whose role is gone. */
export function heldBy(
  { grants }: AccessState,
  identity: Identity,
): { readonly held: readonly Held[]; readonly broken: readonly Grant[] } {
  const own = grants.filter((grant) => reaches(grant, identity));
  const held = own.flatMap((grant) =>
    (grant.rules ?? []).map((rule) => ({ namespace: grant.binding.namespace, rule, grant })),
  );
  return {
    held: held.toSorted((a, b) => sortKey(a).localeCompare(sortKey(b))),
    broken: own.filter(({ rules }) => rules === undefined),
  };
}

function sortKey({ namespace, grant, rule }: Held): string {
  return [namespace, grant.binding.name, rule.apiGroups.join(), rule.resources.join()].join(" ");
}
