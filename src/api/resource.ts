import type { KubeObject } from "#api/meta.ts";

/** Names one resource of the API and the shape of its objects: what a client is asked for. */
export interface Resource<T extends KubeObject = KubeObject> {
  /** "" is the core group. */
  readonly group: string;
  readonly version: string;
  readonly kind: string;
  /** The plural, lower-case name that stands in paths: `pods`. */
  readonly resource: string;
  readonly namespaced: boolean;
  /** Never set: carries the object's shape to the compiler. */
  readonly shape?: T;
}

export function apiVersionOf(resource: {
  readonly group: string;
  readonly version: string;
}): string {
  return resource.group === "" ? resource.version : `${resource.group}/${resource.version}`;
}

/** `/api/v1` or `/apis/GROUP/VERSION`. */
export function rootPath(resource: { readonly group: string; readonly version: string }): string {
  return resource.group === ""
    ? `/api/${resource.version}`
    : `/apis/${resource.group}/${resource.version}`;
}

/** The path of the collection, or of one object and its subresource. */
export function pathOf(
  resource: Resource,
  at: { readonly namespace?: string; readonly name?: string; readonly subresource?: string } = {},
): string {
  const parts = [rootPath(resource)];
  if (resource.namespaced && at.namespace)
    parts.push("namespaces", encodeURIComponent(at.namespace));
  parts.push(resource.resource);
  if (at.name !== undefined) parts.push(encodeURIComponent(at.name));
  if (at.subresource) parts.push(at.subresource);
  return parts.join("/");
}
