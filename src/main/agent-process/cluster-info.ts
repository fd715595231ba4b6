import { createHash, createHmac, timingSafeEqual, X509Certificate } from "node:crypto";
import { request } from "node:https";
import type { IncomingMessage } from "node:http";
import { parse } from "yaml";
import type { ConfigMap } from "#api/generated/types.ts";
import { clusterInfoName } from "#main/joining-objects.ts";

export interface BootstrapToken {
  readonly id: string;
  readonly secret: string;
}

/** @throws when it does not look like one */
export function parseToken(text: string): BootstrapToken {
  const [, id, secret] = /^([a-z0-9]{6})\.([a-z0-9]{16})$/.exec(text) ?? [];
  if (id !== undefined && secret !== undefined) return { id, secret };
  throw new Error(
    "Cannot use the token: it looks like abcdef.0123456789abcdef; make one with `kogge token create` where the server runs",
  );
}

export interface DiscoverOptions {
  /** `https://host:port`. */
  readonly server: string;
  readonly token: BootstrapToken;
  /** `sha256:…` of authorities' public keys; the cluster's must be among them when there are any. */
  readonly caCertHashes: readonly string[];
  readonly nowMs: number;
}

export interface DiscoveredCluster {
  /** The cluster's authority, in PEM: known to be its own, since the token's secret signed it. */
  readonly authority: string;
  /** This machine's address on the way to the server. */
  readonly localAddress: string;
  /** How far this machine's clock is ahead of the server's. */
  readonly clockAheadMs: number;
}

/**
 * Asks a server that is not trusted yet who it is, as kubeadm does: the answer counts because it is signed with the
 * token's secret, which never travels.
 * @throws an error that says what to do about it
 */
export async function discoverCluster(options: DiscoverOptions): Promise<DiscoveredCluster> {
  const { server, token } = options;
  const answer = await readUnchecked(
    new URL(
      `/api/v1/namespaces/${clusterInfoName.namespace}/configmaps/${clusterInfoName.name}`,
      server,
    ),
  );
  if (answer.status !== 200) {
    throw new Error(
      `Cannot join ${server}: it does not tell strangers about its cluster (${answer.status} for kube-public/cluster-info); is it a Kogge server?`,
    );
  }
  const { data = {} } = JSON.parse(answer.body) as ConfigMap;
  const content = data["kubeconfig"] ?? "";
  checkSignature(server, content, data[`jws-kubeconfig-${token.id}`], token);
  const authority = authorityIn(content);
  checkHash(server, authority, options.caCertHashes);
  return {
    authority,
    localAddress: answer.localAddress,
    clockAheadMs: options.nowMs - answer.dateMs,
  };
}

/** `sha256:` and the hash of a certificate's public key, as kubeadm writes it. */
export function publicKeyHash(certificate: string): string {
  const key = new X509Certificate(certificate).publicKey.export({ type: "spki", format: "der" });
  return `sha256:${createHash("sha256").update(key).digest("hex")}`;
}

function checkSignature(
  server: string,
  content: string,
  signature: string | undefined,
  token: BootstrapToken,
): void {
  if (signature === undefined) {
    throw new Error(
      `Cannot join ${server}: it knows no token "${token.id}". It has expired, or was made for another cluster; make one with \`kogge token create\` where the server runs`,
    );
  }
  const [header = ""] = signature.split(".");
  const signed = `${header}.${Buffer.from(content).toString("base64url")}`;
  const own = createHmac("sha256", token.secret).update(signed).digest("base64url");
  if (sameText(`${header}..${own}`, signature) && namesToken(header, token)) return;
  throw new Error(
    `Cannot join ${server}: the secret of token "${token.id}" is wrong, or somebody between here and the server changes what it says; compare the token with the one \`kogge token create\` printed`,
  );
}

function namesToken(header: string, token: BootstrapToken): boolean {
  const { alg, kid } = JSON.parse(Buffer.from(header, "base64url").toString()) as {
    readonly alg?: string;
    readonly kid?: string;
  };
  return alg === "HS256" && kid === token.id;
}

function sameText(left: string, right: string): boolean {
  const [a, b] = [Buffer.from(left), Buffer.from(right)];
  return a.length === b.length && timingSafeEqual(a, b);
}

function authorityIn(kubeconfig: string): string {
  const { clusters } = parse(kubeconfig) as {
    readonly clusters?: readonly { readonly cluster?: Readonly<Record<string, string>> }[];
  };
  const data = clusters?.[0]?.cluster?.["certificate-authority-data"] ?? "";
  return Buffer.from(data, "base64").toString();
}

function checkHash(server: string, authority: string, wanted: readonly string[]): void {
  const found = publicKeyHash(authority);
  if (wanted.length === 0 || wanted.some((hash) => hash.toLowerCase() === found)) return;
  throw new Error(
    `Cannot join ${server}: its authority has the key ${found}, and not ${wanted.join(" or ")}; either this is another server than you mean, or --ca-cert-hash is of an older cluster`,
  );
}

interface UncheckedAnswer {
  readonly status: number;
  readonly body: string;
  readonly dateMs: number;
  readonly localAddress: string;
}

const answerTimeoutMs = 10_000;
const answerBytesMax = 1024 * 1024;

function readUnchecked(url: URL): Promise<UncheckedAnswer> {
  return new Promise((resolve, reject) => {
    const outgoing = request(url, {
      // Nothing secret is sent, and what comes back is checked by its signature.
      rejectUnauthorized: false,
      agent: false,
      headers: { accept: "application/json" },
      timeout: answerTimeoutMs,
    });
    outgoing.on("timeout", () => outgoing.destroy(new Error("it does not answer")));
    outgoing.on("error", reject);
    outgoing.on("response", (answer) => {
      const { localAddress = "" } = answer.socket;
      readBody(answer).then(
        (body) =>
          resolve({
            status: answer.statusCode ?? 0,
            body,
            dateMs: Date.parse(answer.headers.date ?? ""),
            localAddress,
          }),
        reject,
      );
    });
    outgoing.end();
  });
}

async function readBody(answer: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  let lengthBytes = 0;
  for await (const chunk of answer as AsyncIterable<Buffer>) {
    lengthBytes += chunk.length;
    if (lengthBytes > answerBytesMax) throw new Error("its answer is too long");
    chunks.push(chunk);
  }
  return Buffer.concat(chunks).toString("utf8");
}
