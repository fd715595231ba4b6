import { once } from "node:events";
import { createServer } from "node:https";
import type { IncomingHttpHeaders, IncomingMessage, ServerResponse } from "node:http";
import type { AddressInfo } from "node:net";
import type { Duplex } from "node:stream";
import { buffer } from "node:stream/consumers";
import type { TLSSocket } from "node:tls";
import { createAuthority } from "#apiserver/node/pki/authority.ts";
import type { JsonObject } from "#api/kind.ts";

/** What a webhook or an extension server was asked. */
export interface Asked {
  readonly method: string;
  readonly path: string;
  readonly headers: IncomingHttpHeaders;
  readonly body: JsonObject;
  /** The common name of the certificate that was shown, where it was signed by `clientAuthority`. */
  readonly client: string | undefined;
}

export interface Said {
  readonly status?: number;
  readonly headers?: Readonly<Record<string, string>>;
  /** An object is sent as JSON; a stream of texts piece by piece. */
  readonly body: JsonObject | string | AsyncIterable<string>;
}

export interface WebhookServer extends AsyncDisposable {
  readonly port: number;
  /** `https://127.0.0.1:PORT`. */
  readonly url: string;
  /** The certificate authority, in base64 as configurations want it. */
  readonly caBundle: string;
  /** All that it was asked, in order. */
  readonly asked: readonly Asked[];
  /** How many connections were opened. */
  readonly connections: () => number;
}

export interface WebhookServerOptions {
  /** More names for its certificate than `127.0.0.1`. */
  readonly dnsNames?: readonly string[];
  readonly clientAuthority?: string;
}

/** An HTTPS server that answers what `answer` says, and echoes where an upgrade is asked for. For tests only. */
export async function startWebhookServer(
  answer: (asked: Asked) => Said | Promise<Said>,
  { dnsNames = [], clientAuthority }: WebhookServerOptions = {},
): Promise<WebhookServer> {
  const authority = createAuthority(Date.now());
  const { key, certificate } = authority.issue({
    subject: { commonName: "webhook" },
    use: "server",
    dnsNames,
    ipAddresses: ["127.0.0.1"],
  });
  const asked: Asked[] = [];
  let connections = 0;
  const tls = clientAuthority === undefined ? {} : { ca: clientAuthority, requestCert: true };
  const server = createServer({ key, cert: certificate, rejectUnauthorized: false, ...tls });
  server.on("secureConnection", () => (connections += 1));
  server.on("request", (request, response) => void reply(request, response));
  const reply = async (request: IncomingMessage, response: ServerResponse): Promise<void> => {
    const text = (await buffer(request)).toString();
    const socket = request.socket as TLSSocket;
    const { CN } = socket.authorized ? socket.getPeerCertificate().subject : { CN: undefined };
    const one: Asked = {
      method: request.method ?? "",
      path: request.url ?? "",
      headers: request.headers,
      body: text === "" ? {} : (JSON.parse(text) as JsonObject),
      client: Array.isArray(CN) ? CN[0] : CN,
    };
    asked.push(one);
    const { status = 200, headers, body } = await answer(one);
    response.writeHead(status, { "content-type": "application/json", ...headers });
    if (typeof body === "string") return void response.end(body);
    if (!(Symbol.asyncIterator in body)) return void response.end(JSON.stringify(body));
    for await (const piece of body as AsyncIterable<string>) response.write(piece);
    response.end();
  };
  server.on("upgrade", (request: IncomingMessage, socket: Duplex) => {
    const user = request.headers["x-remote-user"] ?? "";
    socket.write(
      `HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: echo\r\nx-seen: ${String(user)}\r\n\r\n`,
    );
    socket.on("error", () => socket.destroy());
    socket.pipe(socket);
  });
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  return {
    port,
    url: `https://127.0.0.1:${port}`,
    caBundle: Buffer.from(authority.certificate).toString("base64"),
    asked,
    connections: () => connections,
    [Symbol.asyncDispose]: async () => {
      server.closeAllConnections();
      server.close();
      await once(server, "close");
    },
  };
}
