import type {
  APIGroupList,
  APIResource,
  APIResourceList,
  APIVersions,
} from "#api/generated/types.ts";
import { rootPath, type Resource } from "#api/resource.ts";
import type { Client } from "#client/client.ts";

/** A resource as the server offers it. */
export interface ServedResource extends Resource {
  readonly verbs: readonly string[];
  /** Lower-case, as `kubectl` takes it: `pod`. */
  readonly singular: string;
  readonly shortNames: readonly string[];
  /** `log` of `pods/log`. */
  readonly subresources: readonly string[];
}

/**
 * All resources the server serves, custom ones included, each in the version its group prefers (or the only one that
 * has it). Subresources stand with their resource.
 */
export async function discoverResources(
  client: Client,
  signal?: AbortSignal,
): Promise<readonly ServedResource[]> {
  const options = signal ? { signal } : {};
  const core = (await client.read("/api", options)) as APIVersions;
  const groups = (await client.read("/apis", options)) as APIGroupList;
  const coreVersions = (core.versions ?? []).map((version) => ({ group: "", version }));
  const others = groups.groups.flatMap(({ name, versions, preferredVersion }) => {
    const preferred = preferredVersion?.version;
    const rest = versions.map(({ version }) => version).filter((version) => version !== preferred);
    return [...(preferred ? [preferred] : []), ...rest].map((version) => ({
      group: name,
      version,
    }));
  });
  const found = new Map<string, ServedResource>();
  for (const at of [...coreVersions, ...others]) {
    const list = (await client.read(rootPath(at), options)) as APIResourceList;
    for (const one of list.resources) {
      const key = `${at.group}/${one.name}`;
      if (!one.name.includes("/") && !found.has(key)) found.set(key, servedResource(at, one, list));
    }
  }
  return [...found.values()];
}

function servedResource(
  at: { readonly group: string; readonly version: string },
  { name, kind, namespaced, verbs, singularName, shortNames }: APIResource,
  { resources }: APIResourceList,
): ServedResource {
  const parts = resources.filter((one) => one.name.startsWith(`${name}/`));
  return {
    ...at,
    resource: name,
    kind,
    namespaced,
    verbs,
    singular: singularName || kind.toLowerCase(),
    shortNames: shortNames ?? [],
    subresources: parts.map((one) => one.name.slice(name.length + 1)),
  };
}
