import { readFileSync } from "node:fs";
import { userInfo } from "node:os";
import process from "node:process";
import { createInterface } from "node:readline/promises";
import { Writable } from "node:stream";
import { text } from "node:stream/consumers";
import type { LoginOptions } from "#cli/login-command.ts";
import { createHttpsTransport } from "#client/node/https-transport.ts";
import { loadCluster } from "#client/node/kubeconfig.ts";
import { mergeKubeconfig, ownKubeconfig } from "#main/kubeconfig.ts";

/** What the server's login path answers. */
interface Login {
  readonly token: string;
  readonly expirationTimestamp: string;
  readonly user: { readonly name: string; readonly groups: readonly string[] };
}

/** `kogge login`: a directory's name and password become a token in the kubeconfig. */
export async function login(options: LoginOptions): Promise<void> {
  const file = options.kubeconfig ?? ownKubeconfig();
  const cluster = await clusterOf(options, file);
  const credentials = await askCredentials(options, cluster.server);
  const got = await post(cluster, credentials);
  if (options.execCredential) return printExecCredential(got);
  mergeKubeconfig(
    {
      server: cluster.server,
      ...(cluster.ca !== undefined && { authority: cluster.ca }),
      user: got.user.name,
      credentials: { token: got.token },
      ...(cluster.name !== undefined && { cluster: cluster.name }),
    },
    file,
  );
  if (options.json) {
    const { user, expirationTimestamp } = got;
    process.stdout.write(`${JSON.stringify({ kubeconfig: file, user, expirationTimestamp })}\n`);
    return;
  }
  const groups = got.user.groups.length > 0 ? ` (${got.user.groups.join(", ")})` : "";
  process.stdout.write(
    `Logged in as ${got.user.name}${groups} until ${got.expirationTimestamp}; kept in ${file}\n`,
  );
}

interface LoginCluster {
  readonly server: string;
  readonly ca?: string;
  /** The kubeconfig's name for it. */
  readonly name?: string;
}

async function clusterOf(options: LoginOptions, file: string): Promise<LoginCluster> {
  const { server, certificateAuthority } = options;
  if (server === undefined) {
    try {
      return await loadCluster(file);
    } catch (cause) {
      throw new Error(`Cannot tell where to log in: name the server with --server`, { cause });
    }
  }
  if (!server.startsWith("https://"))
    throw new Error(`Cannot log in at "${server}": passwords are sent to https:// only`);
  return {
    server,
    ...(certificateAuthority !== undefined && { ca: readFileSync(certificateAuthority, "utf8") }),
  };
}

interface Credentials {
  readonly user: string;
  readonly password: string;
}

async function askCredentials(options: LoginOptions, server: string): Promise<Credentials> {
  if (options.passwordStdin) {
    const password = (await text(process.stdin)).replace(/\r?\n$/, "");
    return { user: options.user ?? userInfo().username, password };
  }
  if (!process.stdin.isTTY) {
    throw new Error("Cannot ask for a password without a terminal: give it with --password-stdin");
  }
  process.stderr.write(`Logging in at ${server}\n`);
  const usual = userInfo().username;
  const user = options.user ?? ((await ask(`User (${usual}): `, true)) || usual);
  return { user, password: await ask("Password: ", false) };
}

/** Asks on the terminal; what is typed is shown or not. */
async function ask(question: string, isShown: boolean): Promise<string> {
  process.stderr.write(question);
  const output = isShown
    ? process.stderr
    : new Writable({ write: (_chunk, _encoding, done) => done() });
  const terminal = createInterface({ input: process.stdin, output, terminal: true });
  try {
    return await terminal.question("");
  } finally {
    terminal.close();
    if (!isShown) process.stderr.write("\n");
  }
}

async function post({ server, ca }: LoginCluster, body: Credentials): Promise<Login> {
  using transport = createHttpsTransport({ server, ...(ca !== undefined && { ca }) });
  const { status, value } = await transport.request({ method: "POST", path: "/login/v1", body });
  if (status === 200) return value as Login;
  throw new Error(`Cannot log in as "${body.user}": ${refusalText(status, value)}`);
}

function refusalText(status: number, value: unknown): string {
  if (status === 401) return "the name or the password is wrong";
  if (status === 403 || status === 404)
    return "this server knows no passwords; it is started with --login-config for that";
  const { message } = (value ?? {}) as { readonly message?: string };
  return message ?? `the server answered ${status}`;
}

/** As kubectl wants it of a credential plugin (client.authentication.k8s.io/v1). */
function printExecCredential({ token, expirationTimestamp }: Login): void {
  const credential = {
    apiVersion: "client.authentication.k8s.io/v1",
    kind: "ExecCredential",
    status: { token, expirationTimestamp },
  };
  process.stdout.write(`${JSON.stringify(credential)}\n`);
}
