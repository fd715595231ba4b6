import type {
  PersistentVolumeClaim,
  Pod,
  PodAffinityTerm,
  ResourceQuota,
  ScopedResourceSelectorRequirement,
} from "#api/generated/types.ts";
import { qualityOfService } from "#api/strategies/core/pod/quality-of-service.ts";
import type { Counted } from "#api/quota/usage.ts";

/** Whether a quota counts an object of this resource, going by the quota's scopes. */
export function isInScopes(quota: ResourceQuota, counted: Counted, object: object): boolean {
  return scopesOf(quota).every((scope) => isInScope(scope, counted, object));
}

/** Both ways of writing scopes as one. */
export function scopesOf({ spec }: ResourceQuota): readonly ScopedResourceSelectorRequirement[] {
  return [
    ...(spec?.scopes ?? []).map((scopeName) => ({ scopeName, operator: "Exists" })),
    ...(spec?.scopeSelector?.matchExpressions ?? []),
  ];
}

function isInScope(
  scope: ScopedResourceSelectorRequirement,
  { group, resource }: Counted,
  object: object,
): boolean {
  if (group !== "") return false;
  if (resource === "pods") return podScopes[scope.scopeName]?.(object as Pod, scope) ?? false;
  if (resource !== "persistentvolumeclaims" || scope.scopeName !== "VolumeAttributesClass")
    return false;
  const names = attributeClassesOf(object as PersistentVolumeClaim);
  if (scope.operator === "Exists") return names.length > 0;
  return (names.length > 0 ? names : [undefined]).some((name) => selects(scope, name));
}

const podScopes: Readonly<
  Record<string, (pod: Pod, scope: ScopedResourceSelectorRequirement) => boolean>
> = {
  Terminating: (pod) => isTerminating(pod),
  NotTerminating: (pod) => !isTerminating(pod),
  BestEffort: (pod) => qualityOfService(pod.spec ?? {}) === "BestEffort",
  NotBestEffort: (pod) => qualityOfService(pod.spec ?? {}) !== "BestEffort",
  PriorityClass: ({ spec }, scope) => selects(scope, spec?.priorityClassName || undefined),
  CrossNamespacePodAffinity: (pod) => reachesOtherNamespaces(pod),
};

/** A pod with a deadline. */
export function isTerminating({ spec }: Pod): boolean {
  return (spec?.activeDeadlineSeconds ?? -1) >= 0;
}

function selects(
  { operator, values }: ScopedResourceSelectorRequirement,
  name: string | undefined,
): boolean {
  if (operator === "Exists") return name !== undefined;
  if (operator === "DoesNotExist") return name === undefined;
  const listed = name !== undefined && (values ?? []).includes(name);
  return operator === "In" ? listed : !listed;
}

function reachesOtherNamespaces({ spec }: Pod): boolean {
  const { podAffinity, podAntiAffinity } = spec?.affinity ?? {};
  const reaches = (term: PodAffinityTerm | undefined): boolean =>
    (term?.namespaces ?? []).length > 0 || term?.namespaceSelector !== undefined;
  return [podAffinity, podAntiAffinity].some(
    (affinity) =>
      affinity?.requiredDuringSchedulingIgnoredDuringExecution?.some(reaches) === true ||
      affinity?.preferredDuringSchedulingIgnoredDuringExecution?.some(({ podAffinityTerm }) =>
        reaches(podAffinityTerm),
      ) === true,
  );
}

function attributeClassesOf({ spec, status }: PersistentVolumeClaim): readonly string[] {
  const names = [
    spec?.volumeAttributesClassName,
    status?.currentVolumeAttributesClassName,
    status?.modifyVolumeStatus?.targetVolumeAttributesClassName,
  ];
  return names.filter((name): name is string => name !== undefined && name !== "");
}
