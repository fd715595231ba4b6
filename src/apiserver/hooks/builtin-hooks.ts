import type { ServiceAllocator } from "#apiserver/allocation/service-allocator.ts";
import type { SharedClaims } from "#apiserver/allocation/shared-claims.ts";
import { dateDeviceTaints } from "#apiserver/hooks/device-taint-times.ts";
import { namespaceHook } from "#apiserver/hooks/namespace-hook.ts";
import type { ResourceHook, ResourceHooks } from "#apiserver/hooks/resource-hooks.ts";

/** The hooks of the built-in resources, by `GROUP/RESOURCE`. */
export function builtinHooks(
  services: Pick<ServiceAllocator, "allocate"> | SharedClaims,
): ResourceHooks {
  const returnsDeleted: ResourceHook = { returnsDeleted: true };
  return new Map<string, ResourceHook>([
    ["/namespaces", namespaceHook],
    ["/pods", returnsDeleted],
    ["/persistentvolumes", returnsDeleted],
    ["/persistentvolumeclaims", returnsDeleted],
    ["/podtemplates", returnsDeleted],
    ["/resourcequotas", returnsDeleted],
    ["/serviceaccounts", returnsDeleted],
    ["batch/jobs", { undecidedDeletion: jobDeletionText }],
    ["resource.k8s.io/deviceclasses", returnsDeleted],
    ["resource.k8s.io/resourceclaims", returnsDeleted],
    ["resource.k8s.io/resourceclaimtemplates", returnsDeleted],
    ["resource.k8s.io/resourceslices", { returnsDeleted: true, beforeWrite: dateDeviceTaints }],
    ["storage.k8s.io/csidrivers", returnsDeleted],
    ["storage.k8s.io/csinodes", returnsDeleted],
    ["storage.k8s.io/storageclasses", returnsDeleted],
    ["storage.k8s.io/volumeattachments", returnsDeleted],
    ["storage.k8s.io/volumeattributesclasses", returnsDeleted],
    ["/services", { returnsDeleted: true, beforeWrite: (write) => services.allocate(write) }],
  ]);
}

const jobDeletionText =
  "child pods are preserved by default when jobs are deleted; set propagationPolicy=Background to remove them or set propagationPolicy=Orphan to suppress this warning";
