import { checkServerIdentity } from "node:tls";
import type { PeerCertificate } from "node:tls";
import { StatusError, badRequest } from "#api/status.ts";
import type { ConnectorParts } from "#apiserver/node/connect/connector.ts";
import type { Destination } from "#apiserver/node/connect/forward.ts";
import type { ConnectTarget } from "#apiserver/request.ts";
import type { Node, Pod } from "#api/generated/types.ts";

/** The stream server of a node, reached with the API server's own certificate. */
export async function nodeDestination(
  parts: Omit<ConnectorParts, "endpoint">,
  nodeName: string,
  path: string,
): Promise<Destination> {
  const node = (await parts.node(nodeName)) as Node | undefined;
  if (node === undefined) throw unreachable(`no node named "${nodeName}" is known`);
  const port = node.status?.daemonEndpoints?.kubeletEndpoint?.Port;
  const addresses = node.status?.addresses ?? [];
  const preferred = ["InternalIP", "ExternalIP", "Hostname"];
  const address = preferred.map((type) => addresses.find((one) => one.type === type)).find(Boolean);
  if (address === undefined || port === undefined || port === 0) {
    throw unreachable(`node "${nodeName}" says no address and port to reach it by`);
  }
  return {
    scheme: "https",
    host: address.address,
    port,
    path,
    // Several nodes may share an address and a port: this says which one is meant.
    headers: { "kogge-node": nodeName },
    tls: {
      key: parts.key,
      cert: parts.certificate,
      ca: [...parts.authority()],
      checkServerIdentity: (host, certificate) =>
        checkServerIdentity(host, certificate) ?? otherNode(certificate, nodeName),
    },
  };
}

/** Nodes say themselves which addresses they have, but their certificates name them. */
function otherNode({ subject }: PeerCertificate, nodeName: string): Error | undefined {
  const [, named] = /^system:node:(.+)$/.exec([subject.CN].flat()[0] ?? "") ?? [];
  if (named === undefined || named === nodeName) return undefined;
  return new Error(`the certificate is that of node "${named}"`);
}

/** The path on the node's stream server for an action on a pod's container. */
export function podPath(target: Extract<ConnectTarget, { kind: "pod" }>): string {
  const pod = target.pod as unknown as Pod;
  const at = `${pod.metadata.namespace}/${pod.metadata.name}`;
  if (target.action === "portforward") return withQuery(`/portForward/${at}`, target.query);
  const container = target.query.get("container") || defaultContainer(pod);
  const verb = target.action === "log" ? "containerLogs" : target.action;
  return withQuery(`/${verb}/${at}/${container}`, target.query);
}

function defaultContainer(pod: Pod): string {
  const chosen = pod.metadata.annotations?.["kubectl.kubernetes.io/default-container"];
  const names = (pod.spec?.containers ?? []).map((container) => container.name);
  if (chosen !== undefined && names.includes(chosen)) return chosen;
  const [first] = names;
  if (first !== undefined && names.length === 1) return first;
  const inits = (pod.spec?.initContainers ?? []).map((container) => container.name);
  const initText = inits.length > 0 ? ` or one of the init containers: [${inits.join(" ")}]` : "";
  throw badRequest(
    `a container name must be specified for pod ${pod.metadata.name}, choose one of: [${names.join(" ")}]${initText}`,
  );
}

function withQuery(path: string, query: URLSearchParams): string {
  const rest = new URLSearchParams([...query].filter(([name]) => name !== "container"));
  return rest.size === 0 ? path : `${path}?${rest.toString()}`;
}

function unreachable(why: string): StatusError {
  return new StatusError({
    code: 503,
    reason: "ServiceUnavailable",
    message: `Cannot reach the node: ${why}`,
  });
}
