import type { JsonObject } from "#api/kind.ts";
import type { StoredObject } from "#apiserver/cache/stored-object.ts";
import type { ConnectTarget } from "#apiserver/request.ts";
import type { WatchEvents } from "#apiserver/verbs/watch-stream.ts";

/** What a verb answers, before it is put into the form that the caller accepts. */
export type Answer =
  | { readonly kind: "stored"; readonly status: number; readonly object: StoredObject }
  /** An object that is nowhere stored: a dry run's result, a review, a `Status`. */
  | { readonly kind: "value"; readonly status: number; readonly value: JsonObject }
  /** What little is told as plain text: an empty log. */
  | { readonly kind: "text"; readonly text: string }
  /** What was asked for is elsewhere. */
  | { readonly kind: "redirect"; readonly location: string }
  | { readonly kind: "list"; readonly list: ObjectList }
  | { readonly kind: "watch"; readonly events: WatchEvents }
  | { readonly kind: "connect"; readonly target: ConnectTarget };

export interface ObjectList {
  readonly items: readonly StoredObject[];
  readonly resourceVersion: string;
  readonly continue?: string;
  readonly remainingItemCount?: number;
}

/** What a write made: an object of the store, or a value when the run was dry. */
export type Written =
  | { readonly kind: "stored"; readonly object: StoredObject }
  | { readonly kind: "value"; readonly value: JsonObject };

export function answerWritten(written: Written, status: number): Answer {
  return { ...written, status };
}

export function contentOf(written: Written): JsonObject {
  return written.kind === "stored" ? written.object.object : written.value;
}
