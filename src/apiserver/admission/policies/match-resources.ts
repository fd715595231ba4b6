import type { MatchResources } from "#api/generated/types.ts";
import type { MatchSpec } from "#apiserver/admission/matching/matching.ts";

/** What a policy or binding is about. Without rules it is about everything that the rest lets through. */
export function matchSpecOf(match: MatchResources | undefined): MatchSpec {
  const { namespaceSelector, objectSelector, resourceRules, excludeResourceRules, matchPolicy } =
    match ?? {};
  const hasRules = resourceRules !== undefined && resourceRules.length > 0;
  return {
    ...(namespaceSelector && { namespaceSelector }),
    ...(objectSelector && { objectSelector }),
    ...(hasRules && { rules: resourceRules }),
    ...(excludeResourceRules && { excludeRules: excludeResourceRules }),
    ...(matchPolicy !== undefined && { matchPolicy }),
  };
}
