/**
 * Requests that the API server itself sends: to webhooks and to servers that extend the API. Sockets and TLS are
 * the edge's; where there is none, whoever needs one says so.
 */
export interface Outgoing {
  /** Rejects with an `Error` that says in a few words why there was no answer. */
  send(request: OutgoingRequest): Promise<OutgoingAnswer>;
}

export interface OutgoingRequest {
  readonly method: "GET" | "POST";
  /** With scheme, host, path and query: what is asked for, and what messages call it. */
  readonly url: string;
  /** Where to connect instead of the URL's host: an endpoint of a service. */
  readonly address?: { readonly host: string; readonly port: number };
  readonly headers: Readonly<Record<string, string>>;
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
  /** Shows the certificate with which the API server vouches for the users it names in headers. */
  readonly asFrontProxy?: boolean;
}

export interface OutgoingAnswer {
  readonly status: number;
  readonly header: (name: string) => string | undefined;
  readonly body: Uint8Array;
}
