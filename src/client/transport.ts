/**
 * How a client reaches an API server: a direct call in the same process, or HTTPS. Bodies and answers are JSON
 * values; in the same process they are handed over as objects, not encoded.
 */
export interface Transport {
  /** Resolves for every HTTP status; rejects only when no answer came. */
  request(request: TransportRequest): Promise<TransportResponse>;
  /**
   * Opens a watch. Rejects with a StatusError when refused; the iteration ends when the server ends it or the
   * signal is aborted, and throws when the connection breaks. Objects are frozen.
   */
  watch(request: TransportRequest): Promise<AsyncIterable<TransportWatchEvent>>;
}

export interface TransportRequest {
  readonly method: "GET" | "POST" | "PUT" | "PATCH" | "DELETE";
  /** Begins with "/", without a query. */
  readonly path: string;
  readonly query?: Readonly<Record<string, string | undefined>>;
  /** Default `application/json`. */
  readonly contentType?: string;
  readonly body?: unknown;
  readonly signal?: AbortSignal;
}

export interface TransportResponse {
  readonly status: number;
  /** The decoded body: an object, a list or a `Status`; text for the few paths that answer text. */
  readonly value: unknown;
}

export interface TransportWatchEvent {
  readonly type: "ADDED" | "MODIFIED" | "DELETED" | "BOOKMARK" | "ERROR";
  readonly object: unknown;
}
