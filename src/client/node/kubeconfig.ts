import { readFile } from "node:fs/promises";
import { dirname, resolve } from "node:path";
import { parse } from "yaml";
import type { HttpsTransportOptions } from "#client/node/https-transport.ts";

/**
 * The server and credentials of a kubeconfig's current context. Certificates, keys and tokens may stand in the file
 * or in files it names (relative to itself). Exec plugins and auth providers are refused: they run programs.
 */
export async function loadKubeconfig(file: string): Promise<KubeconfigAccess> {
  const config = parse(await readFile(file, "utf8")) as Kubeconfig | null;
  const context = named(config?.contexts, config?.["current-context"], "context").context;
  const cluster = named(config?.clusters, context?.cluster, "cluster").cluster ?? {};
  const user = named(config?.users, context?.user, "user").user ?? {};
  if (cluster.server === undefined)
    throw new Error(`Cannot use "${file}": its cluster has no server`);
  if (user.exec || user["auth-provider"]) {
    throw new Error(`Cannot use "${file}": its user's credentials come from a program`);
  }
  const pem = (data: string | undefined, path: string | undefined) => pemOf({ file, data, path });
  const ca = await pem(cluster["certificate-authority-data"], cluster["certificate-authority"]);
  const clientCert = await pem(user["client-certificate-data"], user["client-certificate"]);
  const clientKey = await pem(user["client-key-data"], user["client-key"]);
  const token = user.token ?? (await pem(undefined, user.tokenFile))?.trim();
  return {
    server: cluster.server,
    ...(ca && { ca }),
    ...(clientCert && { clientCert }),
    ...(clientKey && { clientKey }),
    ...(token && { token }),
    ...(cluster["tls-server-name"] && { serverName: cluster["tls-server-name"] }),
  };
}

/** The current context's server alone: whoever logs in has no credentials yet, or old ones. */
export async function loadCluster(
  file: string,
): Promise<{ readonly server: string; readonly ca?: string; readonly name: string }> {
  const config = parse(await readFile(file, "utf8")) as Kubeconfig | null;
  const context = named(config?.contexts, config?.["current-context"], "context").context;
  const { name = "", cluster = {} } = named(config?.clusters, context?.cluster, "cluster");
  if (cluster["server"] === undefined)
    throw new Error(`Cannot use "${file}": its cluster has no server`);
  const [data, path] = [cluster["certificate-authority-data"], cluster["certificate-authority"]];
  const ca = await pemOf({ file, data, path });
  return { name, server: cluster["server"], ...(ca && { ca }) };
}

/** Certificates and keys are PEM texts here. */
export type KubeconfigAccess = HttpsTransportOptions & {
  readonly ca?: string;
  readonly clientCert?: string;
  readonly clientKey?: string;
  readonly token?: string;
};

interface Kubeconfig {
  readonly "current-context"?: string;
  readonly contexts?: readonly (Named & { context?: { cluster?: string; user?: string } })[];
  readonly clusters?: readonly (Named & { cluster?: Record<string, string | undefined> })[];
  readonly users?: readonly (Named & { user?: Record<string, string | undefined> })[];
}

interface Named {
  readonly name?: string;
}

function named<T extends Named>(
  entries: readonly T[] | undefined,
  name: string | undefined,
  what: string,
): T {
  const entry = entries?.find((candidate) => candidate.name === name);
  if (entry === undefined) throw new Error(`Cannot use the kubeconfig: no ${what} "${name ?? ""}"`);
  return entry;
}

interface PemSource {
  /** The kubeconfig. */
  readonly file: string;
  /** Base64. */
  readonly data: string | undefined;
  readonly path: string | undefined;
}

async function pemOf({ file, data, path }: PemSource): Promise<string | undefined> {
  if (data !== undefined) return Buffer.from(data, "base64").toString("utf8");
  return path === undefined ? undefined : readFile(resolve(dirname(file), path), "utf8");
}
