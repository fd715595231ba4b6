import { X509Certificate } from "node:crypto";
import { createStreamServer } from "#agent/streams/stream-server.ts";
import { issueCertificate } from "#apiserver/node/pki/certificate.ts";
import type { KeyAndCertificate } from "#apiserver/node/pki/certificate.ts";
import { internalError } from "#api/status.ts";
import type { Client } from "#client/client.ts";
import type { AgentFiles } from "#main/agent-process/agent-files.ts";
import type { AgentParts } from "#main/agent-process/agent-parts.ts";
import { requestCertificate } from "#main/agent-process/request-certificate.ts";
import { isUsable, keepCertificate } from "#main/agent-process/rotating-certificate.ts";
import { mayAskNode } from "#main/nodes/node-streams.ts";
import type { NodeStreams } from "#main/nodes/node-streams.ts";

export interface ServingOptions {
  readonly client: Client;
  readonly nodeName: string;
  readonly address: string;
  /** The cluster's authority: only the API server is let in, and nodes that ask for images. */
  readonly authority: string;
  readonly files: AgentFiles;
}

/** Upstream's port of the kubelet; another one where somebody else has it. */
const usualPort = 10_250;

/**
 * Serves the node's streams. Until the cluster has signed its certificate, which it does once it knows the node's
 * address, it serves under one of its own, which the API server refuses.
 */
export async function startServing(
  parts: AgentParts,
  options: ServingOptions,
): Promise<Omit<NodeStreams, "of"> & { keep(): void }> {
  const { files, address, nodeName } = options;
  const kept = files.readPair("serving");
  const fits = kept && isUsable(kept, parts.clock.now()) && names(kept).includes(address);
  const held = fits ? kept : undefined;
  const first = held ?? temporary(options, parts.clock.now());
  let node: Parameters<NodeStreams["add"]>[1] | undefined;
  const served = () => {
    if (node === undefined) throw internalError(`node "${nodeName}" is starting`);
    return node;
  };
  const listen = (port: number) =>
    createStreamServer({
      targets: {
        exec: async (container, how) => served().targets.exec(container, how),
        attach: async (container, how) => served().targets.attach(container, how),
        portForward: async (pod, to) => served().targets.portForward(pod, to),
        logs: async (container, how) => served().targets.logs(container, how),
      },
      pages: async (request) => served().pages(request),
      tls: { key: first.key, cert: first.certificate, clientCa: options.authority },
      authorize: mayAskNode,
      host: address,
      port,
      log: parts.log.with({ part: "streams" }),
    });
  const server = await listen(usualPort).catch((error: unknown) => {
    if ((error as NodeJS.ErrnoException).code === "EADDRINUSE") return listen(0);
    throw new Error(`Cannot listen at ${address}; choose this machine's address with --node-ip`, {
      cause: error,
    });
  });
  return {
    port: server.port,
    add: (_name, own) => {
      node = own;
    },
    keep: () =>
      void keepCertificate({
        ...parts,
        held,
        renew: () => requestServing(parts, options),
        use: (pair) => {
          files.writePair("serving", pair);
          server.replaceCertificate({ key: pair.key, cert: pair.certificate });
        },
      }),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

function requestServing(
  parts: AgentParts,
  { client, nodeName, address }: ServingOptions,
): Promise<KeyAndCertificate> {
  return requestCertificate(
    { ...parts, client },
    {
      signerName: "kubernetes.io/kubelet-serving",
      subject: { commonName: `system:node:${nodeName}`, organizations: ["system:nodes"] },
      ipAddresses: [address],
      usages: ["digital signature", "server auth"],
    },
  );
}

function names({ certificate }: KeyAndCertificate): readonly string[] {
  const all = new X509Certificate(certificate).subjectAltName ?? "";
  return all.split(", ").map((name) => name.replace(/^(IP Address|DNS):/, ""));
}

const dayMs = 24 * 3_600_000;

function temporary({ nodeName, address }: ServingOptions, nowMs: number): KeyAndCertificate {
  return issueCertificate({
    subject: { commonName: `system:node:${nodeName}` },
    use: "server",
    ipAddresses: [address],
    notBeforeMs: nowMs,
    notAfterMs: nowMs + dayMs,
  });
}
