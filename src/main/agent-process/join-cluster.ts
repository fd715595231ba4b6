import { nodes } from "#api/resources.ts";
import { isNotFound } from "#api/status.ts";
import { createClient } from "#client/api-client.ts";
import type { Client } from "#client/client.ts";
import { createHttpsTransport } from "#client/node/https-transport.ts";
import type { KeyAndCertificate } from "#apiserver/node/pki/certificate.ts";
import { discoverCluster, parseToken } from "#main/agent-process/cluster-info.ts";
import { requestCertificate } from "#main/agent-process/request-certificate.ts";
import type { WantedCertificate } from "#main/agent-process/request-certificate.ts";
import type { AgentParts } from "#main/agent-process/agent-parts.ts";

export interface JoinOptions {
  readonly server: string;
  readonly token: string;
  readonly caCertHashes: readonly string[];
  readonly nodeName: string;
}

export interface Membership {
  readonly authority: string;
  readonly client: KeyAndCertificate;
}

/** Clocks further apart than this make certificates and leases fail in ways that are hard to see. */
const clockSkewMaxMs = 4 * 60_000;

/**
 * Makes this machine a node: finds out who the cluster is, sees that the name is free, and gets a certificate for it.
 * Nothing is kept here.
 */
export async function joinCluster(parts: AgentParts, options: JoinOptions): Promise<Membership> {
  const { server, nodeName } = options;
  const token = parseToken(options.token);
  const { authority, clockAheadMs } = await discoverCluster({
    ...options,
    token,
    nowMs: parts.clock.now(),
  });
  if (Math.abs(clockAheadMs) > clockSkewMaxMs) throw clockDiffers(clockAheadMs, server);
  using transport = createHttpsTransport({ server, ca: authority, token: options.token });
  const client = createClient(transport);
  await assertNameIsFree(client, nodeName);
  parts.progress.step(`Asking for the certificate of node "${nodeName}"`);
  const pair = await requestCertificate(
    { ...parts, client, onWaiting: tellWaiting(parts) },
    nodeClientCertificate(nodeName),
  );
  return { authority, client: pair };
}

/** With which a node speaks to the API server. */
export function nodeClientCertificate(nodeName: string): WantedCertificate {
  return {
    signerName: "kubernetes.io/kube-apiserver-client-kubelet",
    subject: { commonName: `system:node:${nodeName}`, organizations: ["system:nodes"] },
    usages: ["digital signature", "client auth"],
  };
}

/** A node that is Ready is somebody else: two with one name would tear at each other's pods. */
async function assertNameIsFree(client: Client, name: string): Promise<void> {
  try {
    const { status } = await client.get(nodes, { name });
    const ready = status?.conditions?.find(({ type }) => type === "Ready")?.status;
    if (ready !== "True") return;
  } catch (error) {
    if (isNotFound(error)) return;
    throw error;
  }
  throw new Error(
    `Cannot join as "${name}": a node of this name is Ready. Choose another name with --node-name; or, if that node is gone for good, remove it: kubectl delete node ${name}`,
  );
}

export function tellWaiting({ progress }: Pick<AgentParts, "progress">): (name: string) => void {
  return (name) =>
    progress.step(`Waiting for somebody to approve: kubectl certificate approve ${name}`);
}

function clockDiffers(aheadMs: number, server: string): Error {
  const minutes = Math.round(Math.abs(aheadMs) / 60_000);
  const way = aheadMs > 0 ? "ahead of" : "behind";
  return new Error(
    `Cannot join ${server}: this machine's clock is ${minutes} minutes ${way} the server's; set it (timedatectl set-ntp true)`,
  );
}
