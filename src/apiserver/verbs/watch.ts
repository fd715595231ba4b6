import { badRequest } from "#api/status.ts";
import type { Answer } from "#apiserver/answer.ts";
import type { Change, ResourceCache } from "#apiserver/cache/resource-cache.ts";
import type { StoredObject } from "#apiserver/cache/stored-object.ts";
import { resourcePrefix } from "#apiserver/cache/store-cache.ts";
import type { Call } from "#apiserver/call.ts";
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
import { WatchQueue, type WatchEvents, type WatchItem } from "#apiserver/verbs/watch-stream.ts";

export async function watch(call: Call): Promise<Answer> {
  const wish = wishOf(call);
  await call.server.cache.current();
  if (wish.initialEvents) await awaitRevision(call, wish.revision);
  return { kind: "watch", events: open(call, wish) };
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

/** Reads what there is and begins to listen in one go, so that nothing falls in between. */
function open(call: Call, wish: WatchWish): WatchEvents {
  const { cache } = call.server;
  const resource = cache.resource(resourcePrefix(call.kind.stored));
  const selection = selectionOf(call);
  const prefix = watchPrefix(call, selection);
  const start = cache.revision;
  const missed =
    wish.initialEvents || wish.revision === 0 ? [] : resource.changesAfter(wish.revision);
  if (missed === undefined) return tooOld(wish.revision, resource);
  const initial = wish.initialEvents ? resource.list(prefix) : [];
  const live = listen(call, { wish, selection, prefix, resource });
  return joined(call, { wish, selection, prefix, initial, missed, start, live });
}

/** A selector for one name listens to this one key. */
function watchPrefix(call: Call, selection: Selection): string {
  const prefix = collectionPrefix(call.kind, call.info.namespace);
  const name = selection.exactName;
  if (name === undefined || (call.kind.namespaced && call.info.namespace === "")) return prefix;
  return prefix + name;
}

interface Listening {
  readonly wish: WatchWish;
  readonly selection: Selection;
  readonly prefix: string;
  readonly resource: ResourceCache;
}

function listen(call: Call, { wish, selection, prefix, resource }: Listening): WatchQueue {
  const { server, request } = call;
  const opened: Disposable[] = [];
  const stop = AbortSignal.any([request.signal, server.stopped]);
  const end = (): void => queue.end();
  const queue = new WatchQueue(backlogMax[request.answer], () => {
    stop.removeEventListener("abort", end);
    for (const open of opened.splice(0)) open[Symbol.dispose]();
  });
  const bookmark = (): void =>
    queue.push({ type: "BOOKMARK", revision: server.cache.revision, initialEventsEnd: false });
  opened.push(
    resource.watch({
      prefix,
      onChange: (change) => {
        if (change.revision <= wish.revision) return;
        const item = itemOf(call, selection, change);
        if (item !== undefined) queue.push(item);
      },
    }),
  );
  if (wish.bookmarks) opened.push(server.bookmarks.onTick(bookmark));
  const cancelTimeout = server.clock.after(wish.timeoutMs, () => {
    if (wish.bookmarks) bookmark();
    end();
  });
  opened.push({ [Symbol.dispose]: cancelTimeout });
  if (stop.aborted) end();
  else stop.addEventListener("abort", end, { once: true });
  return queue;
}

/** Readers in the same process share objects and cost little; a slow one over the network is cut off sooner. */
const backlogMax = { bytes: 1_024, objects: 16_384 };

interface Joined {
  readonly wish: WatchWish;
  readonly selection: Selection;
  readonly prefix: string;
  readonly initial: readonly StoredObject[];
  readonly missed: readonly Change[];
  readonly start: number;
  readonly live: WatchQueue;
}

async function* joined(call: Call, parts: Joined): AsyncGenerator<WatchItem> {
  const { selection, live } = parts;
  try {
    for (const stored of parts.initial) {
      const object = viewOf(call.kind, stored);
      if (selection.matches(object)) yield { type: "ADDED", object };
    }
    if (parts.wish.endMark)
      yield { type: "BOOKMARK", revision: parts.start, initialEventsEnd: true };
    for (const change of parts.missed) {
      if (!keyOf(change).startsWith(parts.prefix)) continue;
      const item = itemOf(call, selection, change);
      if (item !== undefined) yield item;
    }
    yield* live;
  } finally {
    live.end();
  }
}

function keyOf(change: Change): string {
  return (change.current ?? change.previous)?.key ?? "";
}

/** What a change means to somebody who sees only what the selection matches. */
function itemOf(call: Call, selection: Selection, change: Change): WatchItem | undefined {
  const current = change.current && viewOf(call.kind, change.current);
  const previous = change.previous && viewOf(call.kind, change.previous);
  const sees = current !== undefined && (selection.everything || selection.matches(current));
  const saw = previous !== undefined && (selection.everything || selection.matches(previous));
  if (sees) return { type: saw ? "MODIFIED" : "ADDED", object: current };
  return saw ? { type: "DELETED", object: viewOf(call.kind, change.gone()) } : undefined;
}

/** As upstream: the answer is 200, and its only event says that the version is too old. */
async function* tooOld(revision: number, resource: ResourceCache): AsyncGenerator<WatchItem> {
  const { status } = expired(`too old resource version: ${revision} (${resource.historyStart})`);
  yield { type: "ERROR", status };
}
