import { notFound } from "#api/status.ts";
import type { JsonObject, Kind, Verb } from "#api/kind.ts";
import type { Answer } from "#apiserver/answer.ts";
import { StoredObject } from "#apiserver/cache/stored-object.ts";
import type { Call } from "#apiserver/call.ts";
import { utf8 } from "#apiserver/content/bytes.ts";
import { methodNotAllowed } from "#apiserver/refusals.ts";
import type { UserInfo } from "#apiserver/request.ts";
import { selectionOf } from "#apiserver/selection.ts";

/**
 * A kind whose objects are nowhere stored: they are worked out when somebody asks. Takes `get` and `list`, with
 * selectors, tables and discovery as every other kind.
 */
export interface ComputedKind {
  readonly kind: Kind;
  /** The objects of a namespace ("": all), or the one of this name; what is not known is left out. */
  readonly read: (wish: ComputedWish) => Promise<readonly JsonObject[]>;
}

export interface ComputedWish {
  readonly namespace: string;
  readonly name?: string;
  /** Who asks. */
  readonly user: UserInfo;
  /** Whether an object with these labels is wanted: what is not need not be worked out. */
  readonly matchesLabels: (labels: Readonly<Record<string, string>>) => boolean;
  readonly signal: AbortSignal;
}

export function computedVerb(source: ComputedKind, verb: Verb): (call: Call) => Promise<Answer> {
  if (verb === "get") return (call) => getComputed(source, call);
  if (verb === "list") return (call) => listComputed(source, call);
  throw methodNotAllowed();
}

async function getComputed({ kind, read }: ComputedKind, call: Call): Promise<Answer> {
  const { namespace, name } = call.info;
  const { signal } = call.request;
  const { user } = call;
  const [object] = await read({ namespace, name, user, matchesLabels: () => true, signal });
  if (object === undefined) {
    const qualified = namespace === "" ? name : `${namespace}/${name}`;
    throw notFound({ group: kind.group, resource: kind.kind.toLowerCase() }, qualified);
  }
  return { kind: "value", status: 200, value: object };
}

async function listComputed({ read }: ComputedKind, call: Call): Promise<Answer> {
  const selection = selectionOf(call);
  const objects = await read({
    namespace: call.info.namespace,
    ...(selection.exactName !== undefined && { name: selection.exactName }),
    user: call.user,
    matchesLabels: selection.matchesLabels,
    signal: call.request.signal,
  });
  const items = objects
    .map((object, at) => new StoredObject(String(at), 0, utf8(JSON.stringify(object))))
    .filter((object) => selection.everything || selection.matches(object));
  return { kind: "list", list: { items, resourceVersion: "" } };
}
