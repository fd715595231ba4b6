import { badRequest } from "#api/status.ts";
import { after, CompactedError, prefixRange } from "#storage/store.ts";
import type { Answer, ObjectList } from "#apiserver/answer.ts";
import { fromStoredBytes, type StoredObject } from "#apiserver/cache/stored-object.ts";
import { resourcePrefix } from "#apiserver/cache/store-cache.ts";
import type { Call } from "#apiserver/call.ts";
import { prepareViews } from "#apiserver/custom/conversion/converted-views.ts";
import { collectionPrefix } from "#apiserver/objects/keys.ts";
import { objectsAt } from "#apiserver/verbs/list-past.ts";
import { viewOf } from "#apiserver/objects/view.ts";
import { selectionOf, type Selection } from "#apiserver/selection.ts";
import {
  decodeContinue,
  encodeContinue,
  expiredContinue,
  type ContinueToken,
} from "#apiserver/verbs/continue-token.ts";
import {
  awaitRevision,
  expired,
  listVersionWish,
  type VersionWish,
} from "#apiserver/verbs/resource-version.ts";

export async function list(call: Call): Promise<Answer> {
  return { kind: "list", list: await listObjects(call, limitOf(call)) };
}

/** The objects a list or deletecollection is about; `limit` 0 means all. */
export async function listObjects(call: Call, limit: number): Promise<ObjectList> {
  const wish = listVersionWish(call.request.query, limit);
  const token = call.request.query.get("continue") ?? "";
  const listing: Listing = {
    call,
    selection: selectionOf(call),
    prefix: collectionPrefix(call.kind, call.info.namespace),
    limit,
  };
  if (token !== "") return goOn(listing, wish, decodeContinue(token));
  if (wish.kind === "exactly") return listExactly(listing, wish.revision);
  if (wish.kind === "notOlderThan") await awaitRevision(call, wish.revision);
  if (wish.kind === "newest") await call.server.cache.current();
  return listCached(listing, "");
}

interface Listing {
  readonly call: Call;
  readonly selection: Selection;
  readonly prefix: string;
  readonly limit: number;
}

function limitOf(call: Call): number {
  const text = call.request.query.get("limit") ?? "";
  const limit = text === "" ? 0 : Number(text);
  if (!Number.isSafeInteger(limit)) {
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  return Math.max(0, limit);
}

function listCached(listing: Listing, afterKey: string): ObjectList | Promise<ObjectList> {
  const { call, prefix } = listing;
  const { cache } = call.server;
  const resource = cache.resource(resourcePrefix(call.kind.stored));
  const all = candidates(listing, () => resource.list(prefix));
  return pageAfter(listing, all, { revision: cache.revision, afterKey });
}

function pageAfter(
  listing: Listing,
  all: readonly StoredObject[],
  { revision, afterKey }: ContinueToken,
): ObjectList | Promise<ObjectList> {
  const { call, prefix, limit, selection } = listing;
  const startKey = afterKey === "" ? "" : prefix + afterKey;
  const rest = startKey === "" ? all : all.slice(firstAfter(all, startKey));
  // Where everything matches, what is behind the page need not be converted.
  const shown = limit > 0 && selection.everything ? rest.slice(0, limit) : rest;
  const preparing = prepareViews(call.server, call.kind, shown);
  if (preparing === undefined) return page(listing, rest, revision);
  return preparing.then(() => page(listing, rest, revision));
}

/** The index of the first object behind `key`; objects are in key order. */
function firstAfter(objects: readonly StoredObject[], key: string): number {
  let low = 0;
  let high = objects.length;
  while (low < high) {
    const middle = (low + high) >>> 1;
    if ((objects[middle]?.key ?? "") <= key) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** A selector that names one object needs no walk over all. */
function candidates(listing: Listing, all: () => readonly StoredObject[]): readonly StoredObject[] {
  const { call, selection, prefix } = listing;
  const single = selection.exactName;
  if (single === undefined || (call.kind.namespaced && call.info.namespace === "")) return all();
  const found = call.server.cache.resource(resourcePrefix(call.kind.stored)).get(prefix + single);
  return found === undefined ? [] : [found];
}

function page(listing: Listing, candidates: readonly StoredObject[], revision: number): ObjectList {
  const { call, selection, limit } = listing;
  const items: StoredObject[] = [];
  for (const [index, stored] of candidates.entries()) {
    if (limit > 0 && items.length === limit) {
      const last = candidates[index - 1]?.key ?? "";
      return cut(listing, { items, revision, last, remaining: candidates.length - index });
    }
    const view = viewOf(call.kind, stored);
    if (selection.everything || selection.matches(view)) items.push(view);
  }
  return { items, resourceVersion: String(revision) };
}

interface Cut {
  readonly items: readonly StoredObject[];
  readonly revision: number;
  readonly last: string;
  readonly remaining: number | undefined;
}

function cut(listing: Listing, { items, revision, last, remaining }: Cut): ObjectList {
  const afterKey = last.slice(listing.prefix.length);
  return {
    items,
    resourceVersion: String(revision),
    continue: encodeContinue({ revision, afterKey }),
    ...(listing.selection.everything &&
      remaining !== undefined && { remainingItemCount: remaining }),
  };
}

async function goOn(
  listing: Listing,
  wish: VersionWish,
  token: ContinueToken,
): Promise<ObjectList> {
  if (wish.kind !== "newest" && wish.kind !== "any") {
    throw badRequest("specifying resource version is not allowed when using continue");
  }
  if (token.revision < 0) return listCached(listing, token.afterKey);
  await awaitRevision(listing.call, token.revision);
  return listSnapshot(listing, token);
}

async function listExactly(listing: Listing, revision: number): Promise<ObjectList> {
  await awaitRevision(listing.call, revision);
  try {
    return await readSnapshot(listing, { revision, afterKey: "" });
  } catch (error) {
    if (!(error instanceof CompactedError)) throw error;
    throw expired("The resourceVersion for the provided list is too old.");
  }
}

async function listSnapshot(listing: Listing, token: ContinueToken): Promise<ObjectList> {
  try {
    return await readSnapshot(listing, token);
  } catch (error) {
    if (error instanceof CompactedError) throw expiredContinue(token);
    throw error;
  }
}

/** From the cache, or where that does not reach back so far from the store. */
async function readSnapshot(listing: Listing, token: ContinueToken): Promise<ObjectList> {
  const resource = listing.call.server.cache.resource(resourcePrefix(listing.call.kind.stored));
  const { revision } = token;
  const past = { resource, prefix: listing.prefix, revision };
  const known = await objectsAt(listing.call.server, past);
  return known === undefined ? readStore(listing, token) : pageAfter(listing, known, token);
}

/** Reads the store's history page by page until the limit is full. */
async function readStore(listing: Listing, token: ContinueToken): Promise<ObjectList> {
  const { call, selection, prefix, limit } = listing;
  const range = prefixRange(prefix);
  const items: StoredObject[] = [];
  let start = token.afterKey === "" ? range.start : after(prefix + token.afterKey);
  for (;;) {
    const pageLimit =
      limit > 0 ? Math.max(limit - items.length, selectedPageMin(selection)) : pageMax;
    const read = await call.server.store.list(
      { start, end: range.end },
      { atRevision: token.revision, limit: Math.min(pageLimit, pageMax) },
    );
    const stored = read.entries.map(fromStoredBytes);
    await prepareViews(call.server, call.kind, stored);
    for (const [index, entry] of stored.entries()) {
      const view = viewOf(call.kind, entry);
      if (selection.everything || selection.matches(view)) items.push(view);
      const rest = read.entries.length - index - 1;
      if (limit > 0 && items.length === limit && (rest > 0 || read.more)) {
        const remaining = read.remaining === undefined ? undefined : read.remaining + rest;
        return cut(listing, { items, revision: token.revision, last: entry.key, remaining });
      }
    }
    const last = read.entries.at(-1);
    if (!read.more || last === undefined) return { items, resourceVersion: String(token.revision) };
    start = after(last.key);
  }
}

/** With a selector most entries may not match: small pages would make many trips. */
function selectedPageMin(selection: Selection): number {
  return selection.everything ? 1 : 500;
}

const pageMax = 1_000;
