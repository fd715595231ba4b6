import { request } from "node:https";
import type { IncomingMessage, OutgoingHttpHeaders } from "node:http";
import { once } from "node:events";
import { buffer } from "node:stream/consumers";
import { connect } from "node:tls";
import type { TLSSocket } from "node:tls";
import { parse } from "yaml";

/** What a client needs to be the administrator of a cluster. */
export interface Access {
  readonly port: number;
  readonly ca: string;
  readonly key: string;
  readonly cert: string;
}

/** Reads a kubeconfig as kogge writes it. */
export function accessOf(kubeconfig: string): Access {
  const { clusters, users } = parse(kubeconfig) as {
    clusters: [{ cluster: { server: string; "certificate-authority-data": string } }];
    users: [{ user: { "client-certificate-data": string; "client-key-data": string } }];
  };
  const { cluster } = clusters[0];
  const { user } = users[0];
  return {
    port: Number(new URL(cluster.server).port),
    ca: fromBase64(cluster["certificate-authority-data"]),
    cert: fromBase64(user["client-certificate-data"]),
    key: fromBase64(user["client-key-data"]),
  };
}

function fromBase64(text: string): string {
  return Buffer.from(text, "base64").toString();
}

export interface RawRequest {
  readonly method?: string;
  /** Sent as it is, with its query. */
  readonly path: string;
  readonly headers?: OutgoingHttpHeaders;
  readonly body?: string | Uint8Array;
}

export interface RawAnswer {
  readonly status: number;
  readonly headers: IncomingMessage["headers"];
  readonly text: string;
  /** The body where it is a JSON object; else {}. */
  readonly object: Readonly<Record<string, unknown>>;
}

/** Sends one request as it is given, over a connection of its own. */
export async function send(access: Access, raw: RawRequest): Promise<RawAnswer> {
  const outgoing = request({
    ...tlsOf(access),
    method: raw.method ?? "GET",
    path: raw.path,
    headers: { ...raw.headers },
    agent: false,
  });
  // A server may answer and close before it has read all of a body that is too long.
  const failed = Promise.withResolvers<never>();
  outgoing.on("error", failed.reject);
  outgoing.end(raw.body);
  const [answer] = (await Promise.race([once(outgoing, "response"), failed.promise])) as [
    IncomingMessage,
  ];
  failed.promise.catch(() => {});
  const text = (await buffer(answer)).toString();
  return {
    status: answer.statusCode ?? 0,
    headers: answer.headers,
    text,
    object: text.startsWith("{") ? (JSON.parse(text) as Record<string, unknown>) : {},
  };
}

/** A TLS connection on which nothing was sent yet. */
export async function openConnection(access: Access): Promise<TLSSocket> {
  const socket = connect({ ...tlsOf(access), ALPNProtocols: ["http/1.1"] });
  await once(socket, "secureConnect");
  return socket;
}

export function tlsOf(access: Access) {
  return { host: "127.0.0.1", ...access };
}
