import type { Json } from "#api/meta.ts";
import type { JsonObject } from "#api/kind.ts";
import type { Trust } from "#apiserver/outgoing.ts";
import type { Address } from "#apiserver/service-address.ts";

/** A request as the pipeline sees it, however it came: over HTTP/1.1, HTTP/2 or by a call in the same process. */
export interface ApiRequest {
  readonly method: string;
  /** Decoded nowhere yet: as it stood in the request line, without the query. */
  readonly path: string;
  readonly query: URLSearchParams;
  /** `name` is lower-case. */
  header(name: string): string | undefined;
  /** All header names, lower-case; absent where there cannot be any but the well-known ones. */
  headerNames?(): readonly string[];
  readonly body: RequestBody;
  /** Where the connection comes from; absent in the same process. */
  readonly remoteAddress?: string | undefined;
  /** Who the authenticating edge says this is. */
  readonly user: UserInfo;
  /** Aborted when the caller is gone or the server stops. */
  readonly signal: AbortSignal;
  /** "objects": answers and watch events are handed over decoded, frozen and shared. */
  readonly answer: "bytes" | "objects";
}

export type RequestBody =
  | { readonly kind: "none" }
  /** `read` resolves to undefined when the body is longer than the limit. */
  | { readonly kind: "bytes"; read(limitBytes: number): Promise<Uint8Array | undefined> }
  /** A JSON value that the caller may keep; it is copied before anything changes it. */
  | { readonly kind: "object"; readonly value: unknown };

export interface UserInfo {
  readonly name: string;
  readonly uid?: string;
  readonly groups: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

export const anonymous: UserInfo = { name: "system:anonymous", groups: ["system:unauthenticated"] };

/** Header names are lower-case; `warning` may stand several times, hence the list. */
export type Headers = readonly (readonly [name: string, value: string])[];

export type ApiResponse =
  | BytesResponse
  | {
      readonly kind: "object";
      readonly status: number;
      readonly headers: Headers;
      readonly value: unknown;
    }
  | {
      readonly kind: "stream";
      readonly status: number;
      readonly headers: Headers;
      readonly frames: FrameSource;
    }
  | {
      readonly kind: "events";
      readonly headers: Headers;
      readonly events: AsyncIterable<ObjectEvent>;
    }
  | {
      readonly kind: "connect";
      readonly headers: Headers;
      readonly target: ConnectTarget;
      /** The edge calls it when the connection is over. */
      readonly ended?: () => void;
    };

export interface BytesResponse {
  readonly kind: "bytes";
  readonly status: number;
  readonly headers: Headers;
  readonly lengthBytes: number;
  /** May be iterated once; large lists are put together while they are written. */
  readonly chunks: Iterable<Uint8Array>;
}

/** Whole watch frames, pushed to whoever writes them to a connection: nothing waits for a turn of its own. */
export interface FrameSource {
  /** Begins; called once. The source ends when the server ends the watch. */
  start(sink: FrameSink): FrameFlow;
}

export interface FrameSink {
  /** Takes one or more whole frames. False: hold the following ones back until `resume`. */
  readonly write: (frames: Uint8Array) => boolean;
  /** Nothing follows. */
  readonly end: () => void;
}

export interface FrameFlow {
  /** The sink takes frames again. */
  readonly resume: () => void;
  /** The client is gone. */
  readonly stop: () => void;
}

/** A watch event for callers in the same process. */
export interface ObjectEvent {
  readonly type: WatchEventType;
  readonly object: Json;
}

export type WatchEventType = "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";

/** A connection that the edge carries out: it reaches the node or the service and joins the two ends. */
export type ConnectTarget =
  | {
      /** A server that extends the API. */
      readonly kind: "extension";
      readonly address: Address;
      readonly trust: Trust;
      /** With the query. */
      readonly path: string;
      /** Who asks, in the headers that such servers believe from this one. */
      readonly headers: Readonly<Record<string, string | readonly string[]>>;
    }
  | {
      readonly kind: "pod";
      readonly action: "exec" | "attach" | "portforward" | "log";
      /** The pod as it is now, frozen. */
      readonly pod: JsonObject;
      readonly nodeName: string;
      readonly query: URLSearchParams;
    }
  | {
      readonly kind: "proxy";
      readonly to: "node" | "pod" | "service";
      /** The node, pod or service as it is now, frozen. */
      readonly object: JsonObject;
      /** `http` or `https` as the name's prefix asks, else undefined. */
      readonly scheme: string | undefined;
      /** The port's number or name as the name's suffix asks, else undefined. */
      readonly port: string | undefined;
      /** What follows `/proxy`, with its leading slash, or "". */
      readonly path: string;
      readonly query: URLSearchParams;
    };
