import type { JsonObject, Verb } from "#api/kind.ts";
import type { Discoverable } from "#api/kinds/discovery.ts";
import type { Extension } from "#apiserver/aggregation/extension-index.ts";
import { objectsAt, stringAt, stringsAt } from "#apiserver/objects/json.ts";

/** The resources of an extension server's `APIResourceList`, as discovery tells of the server's own kinds. */
export function discoverablesOf(
  { group, version }: Extension,
  list: JsonObject,
): readonly Discoverable[] {
  const entries = objectsAt(list, "resources");
  const whole = entries.filter((entry) => !stringAt(entry, "name").includes("/"));
  return whole.map((entry) => {
    const resource = stringAt(entry, "name");
    const parts = entries.filter((part) => stringAt(part, "name").startsWith(`${resource}/`));
    return {
      group,
      version,
      resource,
      kind: stringAt(entry, "kind"),
      namespaced: entry.namespaced === true,
      singular: stringAt(entry, "singularName"),
      shortNames: stringsAt(entry, "shortNames"),
      categories: stringsAt(entry, "categories"),
      verbs: verbsOf(entry),
      subresources: parts.map((part) => ({
        name: stringAt(part, "name").slice(resource.length + 1),
        verbs: verbsOf(part),
        group: stringAt(part, "group") || group,
        version: stringAt(part, "version") || version,
        kind: stringAt(part, "kind"),
      })),
    };
  });
}

/** Passed on as they are: an extension server may know others. */
function verbsOf(entry: JsonObject): readonly Verb[] {
  return stringsAt(entry, "verbs") as readonly Verb[];
}
