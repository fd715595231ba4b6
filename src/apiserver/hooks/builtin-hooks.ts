import type { ServiceAllocator } from "#apiserver/allocation/service-allocator.ts";
import { namespaceHook } from "#apiserver/hooks/namespace-hook.ts";
import type { ResourceHook, ResourceHooks } from "#apiserver/hooks/resource-hooks.ts";

/** The hooks of the built-in resources, by `GROUP/RESOURCE`. */
export function builtinHooks(services: ServiceAllocator): ResourceHooks {
  const returnsDeleted: ResourceHook = { returnsDeleted: true };
  return new Map<string, ResourceHook>([
    ["/namespaces", namespaceHook],
    ["/pods", returnsDeleted],
    ["/persistentvolumes", returnsDeleted],
    ["/persistentvolumeclaims", returnsDeleted],
    ["/podtemplates", returnsDeleted],
    ["/resourcequotas", returnsDeleted],
    ["/serviceaccounts", returnsDeleted],
    ["/services", { returnsDeleted: true, beforeWrite: (write) => services.allocate(write) }],
  ]);
}
