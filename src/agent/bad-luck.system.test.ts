import { equal, match, ok } from "node:assert/strict";
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { once } from "node:events";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { connect, createServer, type Socket } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import type { Pod } from "#api/generated/types.ts";
import { nodes, pods } from "#api/resources.ts";
import { freePort } from "#test/kogge-command.ts";
import { missing } from "#test/needs.ts";
import {
  busyboxImage,
  eventually,
  isReady,
  needsContainers,
  openRealNode,
  podOnNode,
  shellContainer,
  until,
} from "#test/real-node.ts";

const at = (name: string) => ({ namespace: "default", name });
const skip = needsContainers;
const waitingReason = (pod: Pod | undefined): string | undefined =>
  pod?.status?.containerStatuses?.[0]?.state?.waiting?.reason;

test(
  "a registry that is down, slow or lies keeps only its own pods waiting",
  { skip: needsContainers || missing("docker-registry") },
  async () => {
    await using node = await openRealNode();
    await using registry = await startRegistry(node);
    const { client } = node;
    await node.startAgent();
    const pull = (name: string, host: string, tag: string): Promise<Pod> =>
      client.create(
        pods,
        podOnNode(name, {
          containers: [{ ...shellContainer("main", "sleep 1000"), image: `${host}/${tag}` }],
        }),
      );

    await pull("missing", registry.host, "not-there:1");
    await eventually(client, /Failed to pull image "\S+not-there:1": .*not found/);
    await until(client, "missing", (pod) => waitingReason(pod) === "ImagePullBackOff");

    await registry.corrupt("corrupt");
    await pull("corrupt", registry.host, "corrupt:1");
    await eventually(
      client,
      /Failed to pull image "\S+corrupt:1": .*(failed|unexpected|mismatch|not found)/,
    );

    await using slow = await stallingServer();
    await pull("slow", slow.host, "busybox:1");
    await eventually(client, `Pulling image "${slow.host}/busybox:1"`);
    await client.create(pods, podOnNode("other"));
    await until(client, "other", isReady);
    await client.delete(pods, at("slow"));
    await until(client, "slow", (pod) => pod === undefined);

    await registry.stop();
    await pull("down", registry.host, "good:1");
    await eventually(client, /Failed to pull image "\S+good:1": .*connection refused/);
    await registry.start();
    await until(client, "down", isReady);
  },
);

test("containerd dies under running containers and comes back", { skip }, async () => {
  await using node = await openRealNode();
  const { client } = node;
  await node.startAgent();
  await client.create(pods, podOnNode("before"));
  const before = await until(client, "before", isReady);
  const pid = Number(await readFile(node.containerd.paths.pidFile, "utf8"));
  process.kill(pid, "SIGKILL");
  await eventually(client, "Node n status is now: NodeNotReady");
  await eventually(client, "Node n status is now: NodeReady");
  await client.create(pods, podOnNode("after"));
  await until(client, "after", isReady);
  const still = await client.get(pods, at("before"));
  equal(
    still.status?.containerStatuses?.[0]?.containerID,
    before?.status?.containerStatuses?.[0]?.containerID,
  );
  equal(still.status?.containerStatuses?.[0]?.restartCount, 0);
});

test(
  "a container that ignores SIGTERM, and one that writes without end, end with their pods",
  { skip },
  async () => {
    await using node = await openRealNode();
    const { client } = node;
    await node.startAgent({
      settings: {
        containerLogMaxSize: "1Mi",
        containerLogMaxFiles: 2,
        containerLogMonitorInterval: "200ms",
      },
    });
    const deaf = "trap '' TERM; while :; do sleep 0.1; done";
    await client.create(
      pods,
      podOnNode("deaf", {
        terminationGracePeriodSeconds: 1,
        containers: [shellContainer("main", deaf)],
      }),
    );
    await client.create(pods, podOnNode("writes", { containers: [shellContainer("main", "yes")] }));
    await until(client, "deaf", isReady);
    const writes = await until(client, "writes", isReady);
    const logs = join(
      node.dataDir,
      "logs",
      "pods",
      `default_writes_${writes?.metadata.uid}`,
      "main",
    );
    while ((await readdir(logs)).length < 2);
    await new Promise((resolve) => setTimeout(resolve, 3000));
    const files = await readdir(logs);
    ok(files.length <= 2, files.join());
    await client.delete(pods, at("deaf"));
    await client.delete(pods, at("writes"));
    await until(client, "deaf", (pod) => pod === undefined);
    await until(client, "writes", (pod) => pod === undefined);
    const { status } = await client.get(nodes, { name: "n" });
    match(
      JSON.stringify(status?.conditions),
      /"type":"Ready"[^}]*"status":"True"|"status":"True"[^}]*"type":"Ready"/,
    );
  },
);

type RealNode = Awaited<ReturnType<typeof openRealNode>>;

/** Debian's `docker-registry` with the node's own busybox as `good:1` and `corrupt:1`. */
async function startRegistry({ dataDir, containerd }: RealNode) {
  const folder = join(dataDir, "registry");
  await mkdir(folder);
  const port = await freePort();
  const host = `127.0.0.1:${port}`;
  const config = join(folder, "config.yml");
  await writeFile(
    config,
    `version: 0.1\nlog: { level: error }\nstorage: { filesystem: { rootdirectory: ${folder}/data } }\nhttp: { addr: "${host}" }\n`,
  );
  let child: ChildProcess | undefined;
  const stop = async (): Promise<void> => {
    if (child === undefined) return;
    const ended = once(child, "exit");
    child.kill();
    await ended;
    child = undefined;
  };
  const start = async (): Promise<void> => {
    child = spawn("docker-registry", ["serve", config], { stdio: "ignore" });
    while (!(await answers(port)));
  };
  const ctr = (...words: string[]): void => {
    const base = ["--address", containerd.socket, "--namespace", "k8s.io"];
    const { status, stderr } = spawnSync("ctr", [...base, ...words], { encoding: "utf8" });
    equal(status, 0, stderr);
  };
  const push = (name: string): void => {
    const reference = `${host}/${name}:1`;
    ctr("images", "tag", `docker.io/library/${busyboxImage}`, reference);
    ctr("images", "push", "--plain-http", reference);
    ctr("images", "rm", reference);
  };
  await start();
  push("good");
  return {
    host,
    start,
    stop,
    /** Puts an image into the registry whose manifest names what is not there. */
    async corrupt(name: string): Promise<void> {
      push(name);
      const data = join(folder, "data/docker/registry/v2");
      const manifests = join(data, "repositories", name, "_manifests");
      const link = join(manifests, "tags/1/current/link");
      const blobOf = (hex: string): string => join(data, "blobs/sha256", hex.slice(0, 2), hex);
      const pushed = (await readFile(link, "utf8")).slice("sha256:".length);
      const manifest = await readFile(join(blobOf(pushed), "data"), "utf8");
      const broken = manifest.replaceAll(/sha256:[0-9a-f]{8}/g, "sha256:00000000");
      const digest = createHash("sha256").update(broken).digest("hex");
      await mkdir(blobOf(digest), { recursive: true });
      await writeFile(join(blobOf(digest), "data"), broken);
      await mkdir(join(manifests, "revisions/sha256", digest), { recursive: true });
      await writeFile(join(manifests, "revisions/sha256", digest, "link"), `sha256:${digest}`);
      await writeFile(link, `sha256:${digest}`);
    },
    async [Symbol.asyncDispose]() {
      await stop();
    },
  };
}

async function answers(port: number): Promise<boolean> {
  const socket = connect(port, "127.0.0.1");
  try {
    await once(socket, "connect");
    return true;
  } catch {
    return false;
  } finally {
    socket.destroy();
  }
}

/** Takes connections and never says a word. */
async function stallingServer() {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => void sockets.add(socket.on("error", () => {})));
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const address = server.address();
  const port = typeof address === "object" && address ? address.port : 0;
  return {
    host: `127.0.0.1:${port}`,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      server.close();
    },
  };
}
