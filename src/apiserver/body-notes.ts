import type { ApiRequest } from "#apiserver/request.ts";

/** What the record of a request keeps of its body. It hangs on the request, as annotations do. */
export interface BodyNotes {
  bytes?: Uint8Array;
  metadata?: BodyMetadata;
}

/** What a body says of its object beyond what the path says. */
export interface BodyMetadata {
  readonly namespace?: string;
  readonly name?: string;
  readonly uid?: string;
  readonly resourceVersion?: string;
}

/** From now on what is read of the request's body is noted. */
export function keepBodyOf(request: ApiRequest): BodyNotes {
  const notes: BodyNotes = {};
  kept.set(request, notes);
  return notes;
}

export function noteBytes(request: ApiRequest, bytes: Uint8Array): void {
  const notes = kept.get(request);
  if (notes !== undefined) notes.bytes = bytes;
}

/** Notes of what object a body is; called before anything changes it. */
export function noteObject(request: ApiRequest, object: { readonly metadata?: unknown }): void {
  const notes = kept.get(request);
  const { metadata } = object;
  if (notes === undefined || typeof metadata !== "object" || metadata === null) return;
  const texts = names.flatMap((name) => {
    const value = Reflect.get(metadata, name) as unknown;
    return typeof value === "string" ? [[name, value] as const] : [];
  });
  notes.metadata = Object.fromEntries(texts);
}

const names = ["namespace", "name", "uid", "resourceVersion"];
const kept = new WeakMap<ApiRequest, BodyNotes>();
