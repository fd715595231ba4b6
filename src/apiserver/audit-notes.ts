import type { ApiRequest } from "#apiserver/request.ts";

/**
 * What steps of the pipeline add to the audit record of a request: annotations by their key, which no later one
 * replaces. They hang on the request, so that nobody has to hand them on.
 */
export function annotate(request: ApiRequest, key: string, value: string): void {
  let notes = known.get(request);
  if (notes === undefined) {
    notes = new Map();
    known.set(request, notes);
  }
  if (notes.size < annotationsMax && !notes.has(key)) notes.set(key, value);
}

/** Annotations of requests that nobody annotated are no map of their own. */
export function annotationsOf(request: ApiRequest): ReadonlyMap<string, string> {
  return known.get(request) ?? none;
}

const annotationsMax = 256;
const none: ReadonlyMap<string, string> = new Map();
const known = new WeakMap<ApiRequest, Map<string, string>>();
