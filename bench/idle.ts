import { createClient } from "#client/api-client.ts";
import type { Client } from "#client/client.ts";
import { createHttpsTransport } from "#client/node/https-transport.ts";
import { loadKubeconfig } from "#client/node/kubeconfig.ts";
import { deployments } from "#api/resources.ts";
import { cpuMsOf, memoryOf, printTable, runningNode, startCluster, wait } from "#bench/measure.ts";
import type { Up } from "#bench/measure.ts";
import { simulatedDeployment, whenReady } from "#bench/workload.ts";

/**
 * What a server costs while nothing happens: memory, and CPU over 20 s, with nothing in it, with 100 nodes, and with
 * 1,000 pods; against a Node that has an HTTPS server and nothing else.
 */
const idleMs = 20_000;
/** Memory that the start took is given back five to ten seconds after it. */
const settleMs = 15_000;

interface Idle {
  readonly residentMb: number;
  readonly anonymousMb: number;
  readonly cpuPercent: number;
}

const rows: (readonly [string, Idle])[] = [];
{
  await using bare = await runningNode("bare-server.ts");
  rows.push(["bare Node HTTPS server", await idleOf(bare.pid)]);
}
{
  // Fills the compile cache: what strips types off and compiles stays in the memory of a server that had to.
  await using _first = await startCluster(["--runtime", "simulated"]);
}
{
  await using cluster = await startCluster(["--runtime", "simulated"]);
  rows.push(["1 node", await idleOf(cluster.up.pid)]);
}
{
  await using cluster = await startCluster(["--runtime", "simulated", "--nodes", "100"]);
  rows.push(["100 nodes", await idleOf(cluster.up.pid)]);
  await withClient(cluster.up, async (client) => {
    await client.create(deployments, simulatedDeployment("idle", 1_000));
    await whenReady(client, "idle", 1_000);
  });
  rows.push(["100 nodes, 1,000 pods", await idleOf(cluster.up.pid)]);
}
printTable(
  ["an idle server", "resident MB", "anonymous MB", "CPU % of a core"],
  rows.map(([name, idle]) => [name, idle.residentMb, idle.anonymousMb, idle.cpuPercent]),
);
const [, one, nodes, pods] = rows.map(([, idle]) => idle.anonymousMb);
if (one !== undefined && nodes !== undefined && pods !== undefined) {
  console.log(
    `\n100 nodes cost ${(nodes - one).toFixed(1)} MB, 1,000 pods ${(pods - nodes).toFixed(1)} MB`,
  );
}

async function idleOf(pid: number): Promise<Idle> {
  await wait(settleMs);
  const before = cpuMsOf(pid);
  const start = performance.now();
  await wait(idleMs);
  const cpuMs = cpuMsOf(pid) - before;
  return { ...memoryOf(pid), cpuPercent: (cpuMs / (performance.now() - start)) * 100 };
}

async function withClient(up: Up, act: (client: Client) => Promise<void>): Promise<void> {
  using transport = createHttpsTransport(await loadKubeconfig(up.kubeconfig));
  await act(createClient(transport));
}
