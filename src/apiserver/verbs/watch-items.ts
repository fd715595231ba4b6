import type { Kind } from "#api/kind.ts";
import type { Change } from "#apiserver/cache/resource-cache.ts";
import type { StoredObject } from "#apiserver/cache/stored-object.ts";
import { viewOf } from "#apiserver/objects/view.ts";
import type { Selection } from "#apiserver/selection.ts";
import type { StatusError } from "#api/status.ts";

/** One event on its way to one watcher or to many. */
export type WatchItem = ObjectItem | BookmarkItem | ErrorItem;

/** Shared by all watchers that see the same of a change, and with it what it was encoded to. */
export interface ObjectItem {
  readonly type: "ADDED" | "MODIFIED" | "DELETED";
  /** In the form of the watched kind. */
  readonly object: StoredObject;
  /** The event as it is sent, by the name of its form; filled by whoever encodes it first. */
  frames?: Map<string, Uint8Array>;
}

export interface BookmarkItem {
  readonly type: "BOOKMARK";
  readonly revision: number;
  readonly initialEventsEnd: boolean;
}

export interface ErrorItem {
  readonly type: "ERROR";
  readonly status: StatusError["status"];
}

/** What the latest change means to its watchers, worked out once for each kind and outcome. One for each server. */
export class WatchItems {
  #change: Change | undefined;
  #byKind = new Map<Kind, ItemsOfChange>();

  /** What a change means to somebody who sees only what the selection matches. */
  itemOf(
    kind: Kind,
    selection: Pick<Selection, "everything" | "matches">,
    change: Change,
  ): ObjectItem | undefined {
    if (this.#change !== change) {
      this.#change = change;
      this.#byKind = new Map();
    }
    let items = this.#byKind.get(kind);
    if (items === undefined) {
      items = new ItemsOfChange(kind, change);
      this.#byKind.set(kind, items);
    }
    return items.seenBy(selection);
  }
}

class ItemsOfChange {
  readonly #kind: Kind;
  readonly #change: Change;
  readonly #current: StoredObject | undefined;
  readonly #previous: StoredObject | undefined;
  #added: ObjectItem | undefined;
  #modified: ObjectItem | undefined;
  #deleted: ObjectItem | undefined;

  constructor(kind: Kind, change: Change) {
    this.#kind = kind;
    this.#change = change;
    this.#current = change.current && viewOf(kind, change.current);
    this.#previous = change.previous && viewOf(kind, change.previous);
  }

  seenBy(selection: Pick<Selection, "everything" | "matches">): ObjectItem | undefined {
    const current = this.#current;
    const previous = this.#previous;
    const sees = current !== undefined && (selection.everything || selection.matches(current));
    const saw = previous !== undefined && (selection.everything || selection.matches(previous));
    if (sees) {
      if (saw) return (this.#modified ??= { type: "MODIFIED", object: current });
      return (this.#added ??= { type: "ADDED", object: current });
    }
    if (!saw) return undefined;
    this.#deleted ??= { type: "DELETED", object: viewOf(this.#kind, this.#change.gone()) };
    return this.#deleted;
  }
}
