import type { Readable } from "node:stream";
import { StatusError } from "#api/status.ts";

/** Who a client's certificate names. */
export interface Peer {
  readonly name: string;
  readonly groups: readonly string[];
}

/** A GET of the stream server that is not a stream. */
export interface PageRequest {
  /** The node that is asked, where the server speaks for several. */
  readonly node?: string;
  readonly path: string;
  readonly query: URLSearchParams;
  readonly peer?: Peer;
}

export interface Page {
  /** Default: 200. */
  readonly status?: number;
  readonly contentType: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: string | Readable;
}

/** The header by which the API server says which node a request is for: several may share an address and port. */
export const nodeHeader = "kogge-node";

export function pageNotFound(): StatusError {
  return new StatusError({ code: 404, reason: "NotFound", message: "404 page not found" });
}
