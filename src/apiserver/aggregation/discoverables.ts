import type { Discoverable } from "#api/kinds/discovery.ts";
import type { Extension } from "#apiserver/aggregation/extension-index.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/** All that is served here and by the servers that extend this one, which come first in their group versions. */
export function discoverables({ kinds, extensions }: ServerState): readonly Discoverable[] {
  const own = kinds.all();
  if (extensions.size === 0) return own;
  const others = extensions.all();
  const isTaken = ({ group, version }: Discoverable): boolean =>
    others.some((other) => other.group === group && other.version === version);
  const remote = others.toSorted(byPriority).flatMap((extension) => {
    const resources = extensions.resourcesOf(extension) ?? [unknown(extension)];
    return extension.available
      ? resources
      : resources.map((resource) => ({ ...resource, isStale: true }));
  });
  return [...own.filter((kind) => !isTaken(kind)), ...remote];
}

function byPriority(a: Extension, b: Extension): number {
  return b.groupPriority - a.groupPriority || b.versionPriority - a.versionPriority;
}

function unknown({ group, version }: Extension): Discoverable {
  return {
    group,
    version,
    resource: "",
    kind: "",
    namespaced: false,
    singular: "",
    shortNames: [],
    categories: [],
    verbs: [],
    subresources: [],
    isStale: true,
  };
}
