import { equal, match, ok } from "node:assert/strict";
import { once } from "node:events";
import { readdir, readFile } from "node:fs/promises";
import { createServer, type Socket } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import type { Pod } from "#api/generated/types.ts";
import { nodes, pods } from "#api/resources.ts";
import { missing } from "#test/needs.ts";
import { startRegistry } from "#test/registry.ts";
import {
  changedTo,
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
    const moved = new Set<string>();
    await changedTo(logs, (names) => {
      for (const name of names) if (name.includes(".log.")) moved.add(name);
      return moved.size >= 3;
    });
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
