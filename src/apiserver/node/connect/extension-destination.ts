import type { Agent } from "node:https";
import type { Destination } from "#apiserver/node/connect/forward.ts";
import type { ConnectTarget } from "#apiserver/request.ts";

/** How the edge speaks to servers that extend the API. */
export interface ExtensionParts {
  /** Shown to them: it vouches for the user named in the headers. */
  readonly key: string;
  readonly certificate: string;
  /** Keeps connections. */
  readonly agent: Agent;
}

/** An endpoint of the extension server, with the user's name and the certificate that vouches for it. */
export function extensionDestination(
  { key, certificate, agent }: ExtensionParts,
  { address, trust, path, headers }: Extract<ConnectTarget, { kind: "extension" }>,
): Destination {
  return {
    scheme: "https",
    host: address.host,
    port: address.port,
    path,
    headers: Object.fromEntries(
      Object.entries(headers).map(([name, value]) => [
        name,
        typeof value === "string" ? value : [...value],
      ]),
    ),
    agent,
    tls: {
      key,
      cert: certificate,
      ...(trust.authorities !== undefined && { ca: [trust.authorities] }),
      ...(trust.serverName !== undefined && { servername: trust.serverName }),
      rejectUnauthorized: trust.unverified !== true,
    },
  };
}
