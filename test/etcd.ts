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
  const directory = mkdtempSync(join(tmpdir(), "kogge-etcd-"));
  const [clientPort, peerPort] = await freePorts(2);
  const endpoint = `${options.scheme ?? "http"}://127.0.0.1:${clientPort}`;
  const peer = `http://127.0.0.1:${peerPort}`;
  const words = wordsOf({ data: join(directory, "data"), endpoint, peer });
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

function wordsOf(at: {
  readonly data: string;
  readonly endpoint: string;
  readonly peer: string;
}): string[] {
  const options = {
    "data-dir": at.data,
    name: "one",
    logger: "zap",
    "log-level": "error",
    "listen-client-urls": at.endpoint,
    "advertise-client-urls": at.endpoint,
    "listen-peer-urls": at.peer,
    "initial-advertise-peer-urls": at.peer,
    "initial-cluster": `one=${at.peer}`,
  };
  return Object.entries(options).map(([name, value]) => `--${name}=${value}`);
}

/** Ports that nobody listens on, as the kernel gives them out. */
export async function freePorts(count: number): Promise<readonly number[]> {
  const servers = Array.from({ length: count }, () => createServer().listen(0, "127.0.0.1"));
  await Promise.all(servers.map((server) => once(server, "listening")));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(servers.map((server) => once(server.close(), "close")));
  return ports;
}
