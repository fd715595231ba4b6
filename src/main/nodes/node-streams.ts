import type { Log } from "#base/log.ts";
import { pods } from "#api/resources.ts";
import { internalError, notFound } from "#api/status.ts";
import type { Pki } from "#apiserver/node/pki/pki-directory.ts";
import type { Agent } from "#agent/agent.ts";
import { mayAskForImages } from "#agent/images/serve-image.ts";
import type { Peer } from "#agent/streams/page.ts";
import type { PodName, StreamTargets } from "#agent/streams/process-streams.ts";
import { createStreamServer } from "#agent/streams/stream-server.ts";
import type { StreamServer } from "#agent/streams/stream-server.ts";
import type { Client } from "#client/client.ts";

/** The certificate with which the API server speaks to nodes; only nodes get answers besides it, about images. */
export const apiServerClientName = "kube-apiserver-kubelet-client";

/** Whether somebody with a certificate of the cluster may ask a node for this. */
export function mayAskNode(peer: Peer, request: { readonly path: string }): boolean {
  return peer.name === apiServerClientName || mayAskForImages(peer, request);
}

export interface NodeStreamsOptions {
  readonly pki: Pki;
  readonly client: Client;
  readonly address: string;
  readonly log: Log;
}

type ServedNode = Pick<Agent, "targets" | "pages">;

/** The stream server of all nodes in this process: a pod's own node answers for it. */
export interface NodeStreams extends AsyncDisposable {
  readonly port: number;
  add(nodeName: string, node: ServedNode): void;
}

export async function startNodeStreams(options: NodeStreamsOptions): Promise<NodeStreams> {
  const nodes = new Map<string, ServedNode>();
  const { key, certificate } = options.pki.certificate("kubelet-server", {
    subject: { commonName: "system:node", organizations: ["system:nodes"] },
    use: "server",
    ipAddresses: [options.address],
  });
  const server: StreamServer = await createStreamServer({
    targets: forwardingTargets(options.client, nodes),
    pages: async (request) => {
      const served = nodes.get(request.node ?? "");
      if (served) return served.pages(request);
      throw internalError(`node "${request.node ?? ""}" is not served here`);
    },
    tls: { key, cert: certificate, clientCa: options.pki.authority.certificate },
    authorize: mayAskNode,
    host: options.address,
    port: 0,
    log: options.log.with({ part: "streams" }),
  });
  return {
    port: server.port,
    add: (nodeName, own) => void nodes.set(nodeName, own),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

function forwardingTargets(client: Client, byNode: ReadonlyMap<string, ServedNode>): StreamTargets {
  const ownerOf = async ({ namespace, pod }: PodName): Promise<StreamTargets> => {
    const { spec } = await client.get(pods, { namespace, name: pod });
    if (!spec?.nodeName) throw notFound({ group: "", resource: "pods" }, pod);
    const own = byNode.get(spec.nodeName)?.targets;
    if (own === undefined)
      throw internalError(`node "${spec.nodeName}" of pod "${pod}" is not served here`);
    return own;
  };
  return {
    exec: async (container, options) => (await ownerOf(container)).exec(container, options),
    attach: async (container, options) => (await ownerOf(container)).attach(container, options),
    portForward: async (pod, port) => (await ownerOf(pod)).portForward(pod, port),
    logs: async (container, options) => (await ownerOf(container)).logs(container, options),
  };
}
