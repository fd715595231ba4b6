import type { Destination } from "#apiserver/node/connect/forward.ts";
import { plainPath } from "#apiserver/node/connect/page-links.ts";
import type { Mount } from "#apiserver/node/connect/page-links.ts";
import type { Exchange } from "#apiserver/node/http-exchange.ts";

/** Where the client of this request finds what a node, a pod or a service has at its root. */
export function mountOf({ url = "", headers }: Exchange["request"], to: Destination): Mount {
  const [prefix = ""] = proxyPattern.exec(url) ?? [];
  return {
    prefix: plainPath(prefix),
    hosts: hostsOf(to),
    clientHost: headers.host ?? headers[":authority"]?.toString(),
  };
}

const proxyPattern =
  /^\/+api\/+v1\/+(?:nodes|namespaces\/+[^/?]+\/+(?:pods|services))\/+[^/?]+\/+proxy(?=[/?]|$)/;

function hostsOf({ scheme, host, port }: Destination): readonly string[] {
  const name = (host.includes(":") ? `[${host}]` : host).toLowerCase();
  const isUsual = port === (scheme === "https" ? 443 : 80);
  return isUsual ? [name, `${name}:${port}`] : [`${name}:${port}`];
}
