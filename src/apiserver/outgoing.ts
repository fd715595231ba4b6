/**
 * Requests that the API server itself sends: to webhooks and to servers that extend the API. Sockets and TLS are
 * the edge's; where there is none, whoever needs one says so.
 */
export interface Outgoing {
  /** Rejects with an `Error` that says in a few words why there was no answer. */
  send(request: OutgoingRequest): Promise<OutgoingAnswer>;
  /** As `send`, for an answer that comes piece by piece: the time limit is for its beginning. */
  stream(request: OutgoingRequest): Promise<OutgoingStream>;
}

export interface OutgoingRequest {
  readonly method: string;
  /** With scheme, host, path and query: what is asked for, and what messages call it. */
  readonly url: string;
  /** Where to connect instead of the URL's host: an endpoint of a service. */
  readonly address?: { readonly host: string; readonly port: number };
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: Uint8Array;
  readonly trust: Trust;
  readonly timeoutMs: number;
  /** A longer answer is an error. */
  readonly limitBytes: number;
  readonly signal?: AbortSignal;
}

/** How the other side proves who it is, and how this side does. */
export interface Trust {
  /** PEM; absent: what the machine trusts. */
  readonly authorities?: string;
  /** The name its certificate must have; absent: the URL's host. */
  readonly serverName?: string;
  readonly unverified?: boolean;
  /** A certificate that this side shows, as PEM. */
  readonly client?: { readonly certificate: string; readonly key: string };
  /** Shows the certificate with which the API server vouches for the users it names in headers. */
  readonly asFrontProxy?: boolean;
}

export interface OutgoingStream {
  readonly status: number;
  /** Of any length; whoever reads it ends it. */
  readonly body: AsyncIterable<Uint8Array>;
}

export interface OutgoingAnswer {
  readonly status: number;
  readonly header: (name: string) => string | undefined;
  readonly body: Uint8Array;
}
