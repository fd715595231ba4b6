import type { JsonObject, Kind, Subresource } from "#api/kind.ts";
import { apiVersionOf } from "#api/resource.ts";
import { compareVersions } from "#api/kinds/version-order.ts";

/** What discovery tells of a kind. */
export type Discoverable = Pick<
  Kind,
  | "group"
  | "version"
  | "kind"
  | "resource"
  | "namespaced"
  | "singular"
  | "shortNames"
  | "categories"
  | "verbs"
> & {
  readonly subresources: readonly Pick<
    Subresource,
    "name" | "verbs" | "group" | "version" | "kind"
  >[];
  /** Of a server that does not answer now. Without a name it stands for resources that are not known. */
  readonly isStale?: boolean;
};

/** `/apis`: all groups but the core one, as an `APIGroupList`. */
export function apiGroupList(kinds: readonly Discoverable[]): JsonObject {
  const groups = groupNames(kinds).filter((group) => group !== "");
  return {
    kind: "APIGroupList",
    apiVersion: "v1",
    groups: groups.map((group) => groupOf(kinds, group)),
  };
}

/** `/apis/GROUP`: an `APIGroup`; undefined for a group that no kind is in. */
export function apiGroup(kinds: readonly Discoverable[], group: string): JsonObject | undefined {
  if (group === "" || !kinds.some((kind) => kind.group === group)) return undefined;
  return { kind: "APIGroup", apiVersion: "v1", ...groupOf(kinds, group) };
}

/** `/api/v1` and `/apis/GROUP/VERSION`: an `APIResourceList`; undefined for a version that no kind is in. */
export function apiResourceList(
  kinds: readonly Discoverable[],
  groupVersion: string,
): JsonObject | undefined {
  const inVersion = known(kinds).filter((kind) => apiVersionOf(kind) === groupVersion);
  if (inVersion.length === 0) return undefined;
  const resources = inVersion.flatMap((kind) => [
    resourceEntry(kind),
    ...kind.subresources.map((part) => subresourceEntry(kind, part)),
  ]);
  return {
    kind: "APIResourceList",
    apiVersion: "v1",
    groupVersion,
    resources: resources.toSorted((a, b) => compare(a.name, b.name)),
  };
}

/** `/api` or `/apis` as an `apidiscovery.k8s.io/v2 APIGroupDiscoveryList`: every group, version and resource at once. */
export function aggregatedDiscovery(
  kinds: readonly Discoverable[],
  root: "api" | "apis",
): JsonObject {
  const groups = groupNames(kinds).filter((group) => (group === "") === (root === "api"));
  return {
    kind: "APIGroupDiscoveryList",
    apiVersion: "apidiscovery.k8s.io/v2",
    metadata: {},
    items: groups.map((group) => ({
      metadata: (group === "" ? {} : { name: group }) as JsonObject,
      versions: versionsOf(kinds, group).map((version) => ({
        version,
        resources: discoveredResources(kinds, group, version),
        freshness: freshnessOf(kinds, group, version),
      })),
    })),
  };
}

/** Upstream's groups from the most to the least preferred; others follow by name. */
const groupOrder: readonly string[] = [
  "",
  "apiregistration.k8s.io",
  "apps",
  "events.k8s.io",
  "authentication.k8s.io",
  "authorization.k8s.io",
  "autoscaling",
  "batch",
  "certificates.k8s.io",
  "networking.k8s.io",
  "policy",
  "rbac.authorization.k8s.io",
  "storage.k8s.io",
  "admissionregistration.k8s.io",
  "apiextensions.k8s.io",
  "scheduling.k8s.io",
  "coordination.k8s.io",
  "node.k8s.io",
  "discovery.k8s.io",
  "flowcontrol.apiserver.k8s.io",
  "resource.k8s.io",
];

function groupNames(kinds: readonly Discoverable[]): readonly string[] {
  const names = new Set(kinds.map((kind) => kind.group));
  const others = [...names].filter((name) => !groupOrder.includes(name)).toSorted(compare);
  return [...groupOrder.filter((name) => names.has(name)), ...others];
}

/** A group's versions, the preferred one first. */
function versionsOf(kinds: readonly Discoverable[], group: string): readonly string[] {
  const versions = kinds.filter((kind) => kind.group === group).map((kind) => kind.version);
  return [...new Set(versions)].toSorted(compareVersions);
}

function groupOf(kinds: readonly Discoverable[], group: string): JsonObject {
  const versions = versionsOf(kinds, group).map((version) => ({
    groupVersion: `${group}/${version}`,
    version,
  }));
  return { name: group, versions, preferredVersion: versions[0] ?? null };
}

interface ResourceEntry extends JsonObject {
  name: string;
}

function resourceEntry(kind: Discoverable): ResourceEntry {
  return {
    name: kind.resource,
    singularName: kind.singular,
    namespaced: kind.namespaced,
    kind: kind.kind,
    verbs: [...kind.verbs],
    ...names(kind),
  };
}

function subresourceEntry(
  kind: Discoverable,
  part: Discoverable["subresources"][number],
): ResourceEntry {
  const isForeign = part.group !== kind.group || part.version !== kind.version;
  return {
    name: `${kind.resource}/${part.name}`,
    singularName: "",
    namespaced: kind.namespaced,
    ...(isForeign && { group: part.group, version: part.version }),
    kind: part.kind,
    verbs: [...part.verbs],
  };
}

function freshnessOf(kinds: readonly Discoverable[], group: string, version: string): string {
  const isStale = kinds.some(
    (kind) => kind.isStale && kind.group === group && kind.version === version,
  );
  return isStale ? "Stale" : "Current";
}

function known(kinds: readonly Discoverable[]): readonly Discoverable[] {
  return kinds.filter(({ resource }) => resource !== "");
}

function discoveredResources(
  kinds: readonly Discoverable[],
  group: string,
  version: string,
): JsonObject[] {
  return known(kinds)
    .filter((kind) => kind.group === group && kind.version === version)
    .toSorted((a, b) => compare(a.resource, b.resource))
    .map((kind) => ({
      resource: kind.resource,
      responseKind: responseKind(kind),
      scope: kind.namespaced ? "Namespaced" : "Cluster",
      singularResource: kind.singular,
      verbs: [...kind.verbs],
      ...names(kind),
      ...(kind.subresources.length > 0 && {
        subresources: kind.subresources.map((part) => ({
          subresource: part.name,
          responseKind: responseKind(part),
          verbs: [...part.verbs],
        })),
      }),
    }));
}

function responseKind(of: {
  readonly group: string;
  readonly version: string;
  readonly kind: string;
}): JsonObject {
  return { group: of.group, version: of.version, kind: of.kind };
}

function names(kind: Discoverable): JsonObject {
  return {
    ...(kind.shortNames.length > 0 && { shortNames: [...kind.shortNames] }),
    ...(kind.categories.length > 0 && { categories: [...kind.categories] }),
  };
}

function compare(a: string, b: string): number {
  return a < b ? -1 : a > b ? 1 : 0;
}
