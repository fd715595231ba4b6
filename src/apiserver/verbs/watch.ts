import { badRequest, internalError, StatusError } from "#api/status.ts";
import type { Answer } from "#apiserver/answer.ts";
import type { Change, ResourceCache } from "#apiserver/cache/resource-cache.ts";
import type { StoredObject } from "#apiserver/cache/stored-object.ts";
import { resourcePrefix } from "#apiserver/cache/store-cache.ts";
import type { Call } from "#apiserver/call.ts";
import { onceConverted, prepareChanges } from "#apiserver/custom/conversion/converted-changes.ts";
import { prepareViews } from "#apiserver/custom/conversion/converted-views.ts";
import { collectionPrefix } from "#apiserver/objects/keys.ts";
import { viewOf } from "#apiserver/objects/view.ts";
import { selectionOf, type Selection } from "#apiserver/selection.ts";
import { isTrue } from "#apiserver/request-info.ts";
import {
  assertWatchMatch,
  awaitRevision,
  expired,
  parseRevision,
} from "#apiserver/verbs/resource-version.ts";
import { changesSince, withNewer } from "#apiserver/verbs/watch-history.ts";
import { WatchItems, type ErrorItem, type WatchItem } from "#apiserver/verbs/watch-items.ts";
import { WatchStream, type WatchEvents } from "#apiserver/verbs/watch-stream.ts";

export async function watch(call: Call): Promise<Answer> {
  const wish = wishOf(call);
  await call.server.cache.current();
  if (wish.initialEvents) {
    await awaitRevision(call, wish.revision);
    return { kind: "watch", events: await openWithInitial(call, wish) };
  }
  if (wish.revision === 0) return { kind: "watch", events: open(call, wish, []) };
  return { kind: "watch", events: await openFrom(call, wish) };
}

/** What is written while it reads what was missed, and has it converted, was missed, too. */
async function openFrom(call: Call, wish: WatchWish): Promise<WatchEvents> {
  const { server, kind, request } = call;
  const { revision } = wish;
  const resource = server.cache.resource(resourcePrefix(kind.stored));
  let missed = await changesSince(server, { resource, revision, signal: request.signal });
  for (;;) {
    missed &&= withNewer(resource, missed);
    if (missed === undefined) return tooOld(revision, resource);
    const preparing = prepareChanges(server, kind, missed.changes);
    if (preparing === undefined) return open(call, wish, missed.changes);
    await preparing;
  }
}

interface WatchWish {
  /** 0: from now, after what there is now where initial events are wanted. */
  readonly revision: number;
  /** First every object there is, as ADDED. */
  readonly initialEvents: boolean;
  readonly endMark: boolean;
  readonly bookmarks: boolean;
  readonly timeoutMs: number;
}

function wishOf(call: Call): WatchWish {
  const { query } = call.request;
  assertWatchMatch(query);
  const version = query.get("resourceVersion") ?? "";
  const revision = version === "" ? 0 : parseRevision(version);
  const sendInitial = query.get("sendInitialEvents");
  const bookmarks = isTrue(query.get("allowWatchBookmarks"));
  const initialEvents = sendInitial === null ? revision === 0 : isTrue(sendInitial);
  const endMark = sendInitial !== null && initialEvents && bookmarks;
  return { revision, initialEvents, endMark, bookmarks, timeoutMs: timeoutOf(call) };
}

/** Without a wish, between half an hour and an hour, so that clients do not all come back at once. */
function timeoutOf(call: Call): number {
  const text = call.request.query.get("timeoutSeconds") ?? "";
  const seconds = text === "" ? 0 : Number(text);
  if (!Number.isSafeInteger(seconds)) {
    throw badRequest(`strconv.ParseInt: parsing ${JSON.stringify(text)}: invalid syntax`);
  }
  return seconds > 0 ? seconds * 1_000 : timeoutMinMs * (1 + call.server.random());
}

const timeoutMinMs = 30 * 60 * 1_000;

/** The first events cannot wait for a conversion: all that is there when it opens can be shown. */
async function openWithInitial(call: Call, wish: WatchWish): Promise<WatchEvents> {
  const { server, kind } = call;
  const prefix = watchPrefix(call, selectionOf(call));
  const resource = server.cache.resource(resourcePrefix(kind.stored));
  for (;;) {
    const { webhook } = kind.stored;
    const preparing = webhook && prepareViews(server, kind, resource.list(prefix));
    if (preparing === undefined) return open(call, wish, []);
    await preparing;
  }
}

/** Reads what there is and begins to listen in one go, so that nothing falls in between. */
function open(call: Call, wish: WatchWish, missed: readonly Change[]): WatchEvents {
  const { cache } = call.server;
  const resource = cache.resource(resourcePrefix(call.kind.stored));
  const selection = selectionOf(call);
  const prefix = watchPrefix(call, selection);
  const watching = { wish, prefix, resource, selection: selectionWithin(call, selection, prefix) };
  const initial = wish.initialEvents ? resource.list(prefix) : [];
  const first = firstItems(call, { ...watching, initial, missed, start: cache.revision });
  return listen(call, watching, first);
}

/** A selector for one name listens to this one key. */
function watchPrefix(call: Call, selection: Selection): string {
  const prefix = collectionPrefix(call.kind, call.info.namespace);
  const name = selection.exactName;
  if (name === undefined || (call.kind.namespaced && call.info.namespace === "")) return prefix;
  return prefix + name;
}

type Matching = Pick<Selection, "everything" | "matches">;

/** Where the key says all that the selector asks, objects need not be looked at. */
function selectionWithin(call: Call, selection: Selection, prefix: string): Matching {
  const oneKey = prefix !== collectionPrefix(call.kind, call.info.namespace);
  return oneKey && selection.nameAlone ? { everything: true, matches: () => true } : selection;
}

interface Watching {
  readonly wish: WatchWish;
  readonly selection: Matching;
  readonly prefix: string;
  readonly resource: ResourceCache;
}

function listen(
  call: Call,
  { wish, selection, prefix, resource }: Watching,
  first: Iterator<WatchItem | undefined>,
): WatchStream {
  const { server, request, kind } = call;
  const opened: Disposable[] = [];
  const end = (): void => stream.end();
  const stream = new WatchStream({
    first,
    backlogMax: backlogMax[request.answer],
    ...(request.answer === "bytes" && { dispatcher: server.watchDispatcher }),
    onEnd: () => {
      request.signal.removeEventListener("abort", end);
      server.stopped.removeEventListener("abort", end);
      for (const open of opened.splice(0)) open[Symbol.dispose]();
    },
  });
  const changes = onceConverted(server, kind, {
    onChange: (change) => {
      if (change.revision <= wish.revision) return;
      const item = server.watchItems.itemOf(kind, selection, change);
      if (item !== undefined) stream.push(item);
    },
    onFailure: (error) => {
      stream.push({ type: "ERROR", status: statusOf(error) });
      stream.end();
    },
  });
  const bookmark = (): void => {
    const { revision } = server.cache;
    changes.afterwards(() => stream.push({ type: "BOOKMARK", revision, initialEventsEnd: false }));
  };
  opened.push(resource.watch({ prefix, onChange: changes.onChange }));
  if (wish.bookmarks) opened.push(server.bookmarks.onTick(bookmark));
  const cancelTimeout = server.clock.after(wish.timeoutMs, () => {
    if (wish.bookmarks) bookmark();
    changes.afterwards(end);
  });
  opened.push({ [Symbol.dispose]: cancelTimeout }, server.kinds.whenReplaced(kind, end));
  for (const signal of [request.signal, server.stopped]) {
    if (signal.aborted) end();
    else signal.addEventListener("abort", end, { once: true });
  }
  return stream;
}

function statusOf(error: unknown): StatusError["status"] {
  if (error instanceof StatusError) return error.status;
  return internalError(error instanceof Error ? error.message : String(error)).status;
}

/** Readers in the same process share objects and cost little; a slow one over the network is cut off sooner. */
const backlogMax = { bytes: 4_096, objects: 16_384 };

interface First extends Watching {
  readonly initial: readonly StoredObject[];
  readonly missed: readonly Change[];
  readonly start: number;
}

/** What there is already, then the mark of its end, then what changed before the watch began. */
function* firstItems(call: Call, parts: First): Generator<WatchItem | undefined> {
  const { selection } = parts;
  for (const stored of parts.initial) {
    const object = viewOf(call.kind, stored);
    const sees = selection.everything || selection.matches(object);
    yield sees ? { type: "ADDED", object } : undefined;
  }
  if (parts.wish.endMark) yield { type: "BOOKMARK", revision: parts.start, initialEventsEnd: true };
  const items = new WatchItems();
  for (const change of parts.missed) {
    const inScope = keyOf(change).startsWith(parts.prefix);
    yield inScope ? items.itemOf(call.kind, selection, change) : undefined;
  }
}

function keyOf(change: Change): string {
  return (change.current ?? change.previous)?.key ?? "";
}

/** As upstream: the answer is 200, and its only event says that the version is too old. */
function tooOld(revision: number, resource: ResourceCache): WatchEvents {
  const { status } = expired(`too old resource version: ${revision} (${resource.historyStart})`);
  const error: ErrorItem = { type: "ERROR", status };
  const stream = new WatchStream({ first: [error].values(), backlogMax: 1, onEnd: () => {} });
  stream.end();
  return stream;
}
