import type { Pod } from "#api/generated/types.ts";
import { StatusError, badRequest } from "#api/status.ts";
import type { ConnectorParts } from "#apiserver/node/connect/connector.ts";
import type { Destination } from "#apiserver/node/connect/forward.ts";
import { nodeDestination } from "#apiserver/node/connect/node-destination.ts";
import type { ConnectTarget } from "#apiserver/request.ts";

type ProxyTarget = Extract<ConnectTarget, { kind: "proxy" }>;

/** Where a request to `…/proxy/…` of a node, pod or service goes. */
export async function proxyDestination(
  parts: ConnectorParts,
  target: ProxyTarget,
): Promise<Destination> {
  const path = pathOf(target);
  switch (target.to) {
    case "node":
      return nodeDestination(parts, nameOf(target), path);
    case "pod":
      return { ...podAddress(target), scheme: schemeOf(target), path };
    case "service": {
      const endpoint = await parts.endpoint(target.object, target.port);
      if (endpoint === undefined) {
        throw unavailable(`no endpoints available for service ${JSON.stringify(nameOf(target))}`);
      }
      return { host: endpoint.ip, port: endpoint.port, scheme: schemeOf(target), path };
    }
  }
}

function podAddress(target: ProxyTarget): { host: string; port: number } {
  const pod = target.object as unknown as Pod;
  const ip = pod.status?.podIP;
  if (ip === undefined || ip === "")
    throw unavailable(`address not allowed: pod "${nameOf(target)}" has no IP`);
  const ports = (pod.spec?.containers ?? []).flatMap((container) => container.ports ?? []);
  if (target.port === undefined) return { host: ip, port: ports[0]?.containerPort ?? 80 };
  const named = ports.find((port) => port.name === target.port)?.containerPort;
  const port = named ?? Number(target.port);
  if (!Number.isInteger(port))
    throw badRequest(`pod "${nameOf(target)}" has no port named "${target.port}"`);
  return { host: ip, port };
}

function pathOf(target: ProxyTarget): string {
  const path = target.path === "" ? "/" : target.path;
  return target.query.size === 0 ? path : `${path}?${target.query.toString()}`;
}

function schemeOf(target: ProxyTarget): "http" | "https" {
  return target.scheme === "https" ? "https" : "http";
}

function nameOf(target: ProxyTarget): string {
  return (target.object as { metadata?: { name?: string } }).metadata?.name ?? "";
}

function unavailable(message: string): StatusError {
  return new StatusError({ code: 503, reason: "ServiceUnavailable", message });
}
