import type { JsonObject } from "#api/kind.ts";
import { internalError } from "#api/status.ts";
import type { Exchange } from "#apiserver/node/http-exchange.ts";
import type { Upgrade } from "#apiserver/node/https-server.ts";
import { extensionDestination } from "#apiserver/node/connect/extension-destination.ts";
import type { ExtensionParts } from "#apiserver/node/connect/extension-destination.ts";
import { forwardRequest, forwardUpgrade } from "#apiserver/node/connect/forward.ts";
import type { Destination } from "#apiserver/node/connect/forward.ts";
import { mountOf } from "#apiserver/node/connect/mount.ts";
import { nodeDestination, podPath } from "#apiserver/node/connect/node-destination.ts";
import { proxyDestination } from "#apiserver/node/connect/proxy-destination.ts";
import type { ConnectTarget } from "#apiserver/request.ts";

/** Joins a client with a node, a pod or a service: the part of the API that only passes bytes on. */
export interface Connector {
  request(exchange: Exchange, target: ConnectTarget, signal: AbortSignal): Promise<void>;
  upgrade(upgrade: Upgrade, target: ConnectTarget): Promise<void>;
}

export interface ConnectorParts {
  /** The certificate with which the API server speaks to nodes, and what it trusts there. */
  readonly key: string;
  readonly certificate: string;
  readonly authority: () => readonly string[];
  /** Absent: servers that extend the API are not reached from here. */
  readonly extensions?: ExtensionParts;
  /** A node by its name, as the API has it. */
  readonly node: (name: string) => Promise<JsonObject | undefined>;
  /** A ready endpoint of a service's port; undefined when it has none. */
  readonly endpoint: (
    service: JsonObject,
    port: string | undefined,
  ) => Promise<{ readonly ip: string; readonly port: number } | undefined>;
}

export function createConnector(parts: ConnectorParts): Connector {
  const destinationOf = async (target: ConnectTarget): Promise<Destination> => {
    switch (target.kind) {
      case "pod":
        return nodeDestination(parts, target.nodeName, podPath(target));
      case "proxy":
        return proxyDestination(parts, target);
      case "extension":
        if (parts.extensions) return extensionDestination(parts.extensions, target);
        throw internalError("this server cannot reach extension servers");
    }
  };
  return {
    async request(exchange, target, signal) {
      const to = await destinationOf(target);
      const mount = target.kind === "proxy" && { mount: mountOf(exchange.request, to) };
      await forwardRequest(exchange, { ...to, ...mount }, signal);
    },
    async upgrade(upgrade, target) {
      await forwardUpgrade(upgrade, await destinationOf(target));
    },
  };
}
