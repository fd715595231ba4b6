import type { StoreCache } from "../cache/store-cache.ts";
import type { ServiceNetwork } from "../parts.ts";
import type { ResourceHook, ResourceHooks } from "./resource-hooks.ts";
import { namespaceHook } from "./namespace-hook.ts";

/** The hooks of the built-in resources, by `GROUP/RESOURCE`. */
export function builtinHooks(_network: ServiceNetwork, _cache: StoreCache): ResourceHooks {
  const returnsDeleted: ResourceHook = { returnsDeleted: true };
  return new Map<string, ResourceHook>([
    ["/namespaces", namespaceHook],
    ["/pods", returnsDeleted],
    ["/persistentvolumes", returnsDeleted],
    ["/persistentvolumeclaims", returnsDeleted],
    ["/podtemplates", returnsDeleted],
    ["/resourcequotas", returnsDeleted],
    ["/serviceaccounts", returnsDeleted],
    ["/services", returnsDeleted],
  ]);
}
