import { randomInt } from "node:crypto";
import process from "node:process";
import { parse } from "yaml";
import type { Secret } from "#api/generated/types.ts";
import { isNotFound } from "#api/status.ts";
import { configMaps, secrets } from "#api/resources.ts";
import type { DataDirOption, JsonOption } from "#cli/options.ts";
import type { TokenCreateOptions } from "#cli/program.ts";
import type { Client } from "#client/client.ts";
import { publicKeyHash } from "#main/agent-process/cluster-info.ts";
import { agentTokenGroup, clusterInfoName } from "#main/joining-objects.ts";
import { withClient } from "#main/local-client.ts";

/** `kogge token create`: a bootstrap token as kubeadm's, a Secret of type `bootstrap.kubernetes.io/token`. */
export async function tokenCreate(options: TokenCreateOptions): Promise<void> {
  const lifetimeMs = parseDuration(options.ttl);
  const { token, expiration, access } = await withClient(options.dataDir, async (client) => ({
    ...(await createBootstrapToken(client, { ...options, lifetimeMs })),
    access: await readAccess(client),
  }));
  printToken(options, { token, expiration: expiration ?? null, ...access });
}

/** Makes a token with which nodes join; `lifetimeMs` 0: for ever. */
export async function createBootstrapToken(
  client: Client,
  { lifetimeMs, description }: { readonly lifetimeMs: number; readonly description?: string },
): Promise<{ readonly token: string; readonly expiration: string | undefined }> {
  const id = randomText(6);
  const secret = randomText(16);
  const expiration =
    lifetimeMs === 0
      ? undefined
      : new Date(Date.now() + lifetimeMs).toISOString().replace(/\.\d+/, "");
  await client.create(secrets, {
    apiVersion: "v1",
    kind: "Secret",
    type: tokenType,
    metadata: { name: `${namePrefix}${id}`, namespace },
    data: encoded({
      "token-id": id,
      "token-secret": secret,
      ...(expiration !== undefined && { expiration }),
      ...(description !== undefined && { description }),
      "usage-bootstrap-authentication": "true",
      "usage-bootstrap-signing": "true",
      "auth-extra-groups": agentTokenGroup,
    }),
  });
  return { token: `${id}.${secret}`, expiration };
}

interface MadeToken extends Access {
  readonly token: string;
  readonly expiration: string | null;
}

/** The token alone goes to standard output, for scripts; how to use it is said beside. */
function printToken(options: TokenCreateOptions, made: MadeToken): void {
  const { server, caCertHash } = made;
  const joinCommand = `kogge agent --server ${server} --token ${made.token} --ca-cert-hash ${caCertHash}`;
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ ...made, joinCommand })}\n`);
  } else if (options.printJoinCommand) {
    process.stdout.write(`${joinCommand}\n`);
  } else {
    process.stdout.write(`${made.token}\n`);
    process.stderr.write(`Join a node with:\n  ${joinCommand}\n`);
  }
  if (server.startsWith("https://127.")) {
    process.stderr.write(
      "The server listens on this machine only; for nodes on others start it with --host 0.0.0.0\n",
    );
  }
}

interface Access {
  readonly server: string;
  readonly caCertHash: string;
}

/** What the cluster tells those who want to join. */
async function readAccess(client: Client): Promise<Access> {
  const { data } = await client.get(configMaps, clusterInfoName);
  const { clusters } = parse(data?.["kubeconfig"] ?? "") as {
    readonly clusters: readonly { readonly cluster: Readonly<Record<string, string>> }[];
  };
  const cluster = clusters[0]?.cluster ?? {};
  const authority = Buffer.from(cluster["certificate-authority-data"] ?? "", "base64").toString();
  return { server: cluster["server"] ?? "", caCertHash: publicKeyHash(authority) };
}

/** `kogge token list` */
export async function tokenList(options: DataDirOption & JsonOption): Promise<void> {
  const tokens = await withClient(options.dataDir, async (client) => {
    const { items } = await client.list(secrets, { namespace, fieldSelector: `type=${tokenType}` });
    return items.map(describe);
  });
  if (options.json) {
    process.stdout.write(`${JSON.stringify({ tokens })}\n`);
    return;
  }
  process.stdout.write(`${"ID".padEnd(8)}${"EXPIRES".padEnd(24)}DESCRIPTION\n`);
  for (const { id, expiration, description } of tokens) {
    process.stdout.write(
      `${id.padEnd(8)}${(expiration ?? "never").padEnd(24)}${description ?? ""}\n`,
    );
  }
}

/** `kogge token delete` */
export async function tokenDelete(token: string, options: DataDirOption): Promise<void> {
  const id = token.split(".")[0] ?? "";
  if (!/^[a-z0-9]{6}$/.test(id))
    throw new Error(`Cannot delete "${token}": a token begins with six letters or digits`);
  try {
    await withClient(options.dataDir, (client) =>
      client.delete(secrets, { namespace, name: `${namePrefix}${id}` }),
    );
  } catch (error) {
    if (isNotFound(error))
      throw new Error(`Cannot delete "${id}": there is no such token`, { cause: error });
    throw error;
  }
  process.stdout.write(`Deleted ${id}\n`);
}

const namespace = "kube-system";
const namePrefix = "bootstrap-token-";
const tokenType = "bootstrap.kubernetes.io/token";

interface TokenDescription {
  readonly id: string;
  readonly expiration?: string;
  readonly description?: string;
}

function describe(secret: Secret): TokenDescription {
  const field = (name: string): string | undefined => {
    const value = secret.data?.[name];
    return value === undefined ? undefined : Buffer.from(value, "base64").toString();
  };
  const expiration = field("expiration");
  const description = field("description");
  return {
    id: field("token-id") ?? "",
    ...(expiration !== undefined && { expiration }),
    ...(description !== undefined && { description }),
  };
}

function encoded(fields: Readonly<Record<string, string>>): Record<string, string> {
  return Object.fromEntries(
    Object.entries(fields).map(([name, value]) => [name, Buffer.from(value).toString("base64")]),
  );
}

function randomText(length: number): string {
  const letters = "0123456789abcdefghijklmnopqrstuvwxyz";
  return Array.from({ length }, () => letters[randomInt(letters.length)]).join("");
}

const unitsMs: Readonly<Record<string, number>> = {
  s: 1000,
  m: 60_000,
  h: 3_600_000,
  d: 86_400_000,
};

/** `30m`, `24h`, `1h30m`, `7d`, or `0` for ever. */
export function parseDuration(text: string): number {
  if (text === "0") return 0;
  if (!/^(\d+[smhd])+$/.test(text))
    throw new Error(`Cannot read the duration "${text}": it looks like 30m, 24h or 7d`);
  return [...text.matchAll(/(\d+)([smhd])/g)].reduce(
    (sum, [, count, unit]) => sum + Number(count) * (unitsMs[unit ?? ""] ?? 0),
    0,
  );
}
