import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** A real etcd with its files in a temporary folder; disposing of it ends it and removes them. */
export interface TestEtcd extends AsyncDisposable {
  readonly endpoint: string;
  /** Ends the process as a crash would. */
  kill(): Promise<void>;
  start(): Promise<void>;
}

export interface EtcdOptions {
  /** More words of the command line. */
  readonly words?: readonly string[];
  /** Default `http`. With `https` the words must name certificates. */
  readonly scheme?: "http" | "https";
  /** Left stopped; `start` starts it. */
  readonly stopped?: boolean;
}

export async function startEtcd(options: EtcdOptions = {}): Promise<TestEtcd> {
  const [peerPort] = await freePorts(1);
  const peers = { one: `http://127.0.0.1:${peerPort}` };
  return startMember("one", peers, options);
}

/** Members of one cluster. */
export async function startEtcdCluster(
  count: number,
): Promise<AsyncDisposable & { readonly members: readonly TestEtcd[] }> {
  const ports = await freePorts(count);
  const peers = Object.fromEntries(
    ports.map((port, at) => [`member-${at}`, `http://127.0.0.1:${port}`]),
  );
  const members = await Promise.all(Object.keys(peers).map((name) => startMember(name, peers, {})));
  return {
    members,
    [Symbol.asyncDispose]: async () => {
      await Promise.all(members.map((member) => member[Symbol.asyncDispose]()));
    },
  };
}

async function startMember(
  name: string,
  peers: Readonly<Record<string, string>>,
  options: EtcdOptions,
): Promise<TestEtcd> {
  const directory = mkdtempSync(join(tmpdir(), "kogge-etcd-"));
  const [clientPort] = await freePorts(1);
  const endpoint = `${options.scheme ?? "http"}://127.0.0.1:${clientPort}`;
  const words = wordsOf({ name, data: join(directory, "data"), endpoint, peers });
  words.push(...(options.words ?? []));
  let child: ChildProcess | undefined;
  const etcd: TestEtcd = {
    endpoint,
    start: async () => {
      child = spawn("etcd", words, { stdio: "ignore" });
      await once(child, "spawn");
    },
    kill: async () => {
      if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
      const exited = once(child, "exit");
      child.kill("SIGKILL");
      await exited;
    },
    [Symbol.asyncDispose]: async () => {
      await etcd.kill();
      rmSync(directory, { recursive: true, force: true });
    },
  };
  if (options.stopped !== true) await etcd.start();
  return etcd;
}

function wordsOf(member: {
  readonly name: string;
  readonly data: string;
  readonly endpoint: string;
  readonly peers: Readonly<Record<string, string>>;
}): string[] {
  const { name, data, endpoint, peers } = member;
  const peer = peers[name] ?? "";
  const options = {
    "data-dir": data,
    name,
    logger: "zap",
    "log-level": "error",
    "listen-client-urls": endpoint,
    "advertise-client-urls": endpoint,
    "listen-peer-urls": peer,
    "initial-advertise-peer-urls": peer,
    "initial-cluster": Object.entries(peers)
      .map(([other, url]) => `${other}=${url}`)
      .join(","),
  };
  return Object.entries(options).map(([option, value]) => `--${option}=${value}`);
}

/** Ports that nobody listens on, as the kernel gives them out. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}
