import process from "node:process";
import type { Lease } from "#api/generated/types.ts";
import { deployments, leases } from "#api/resources.ts";
import { cpuMsOf, memoryOf, printTable, startCluster, wait } from "#bench/measure.ts";
import type { Up } from "#bench/measure.ts";
import { simulatedDeployment, whenReady } from "#bench/workload.ts";
import { createClient } from "#client/api-client.ts";
import type { Client } from "#client/client.ts";
import { createHttpsTransport } from "#client/node/https-transport.ts";
import { loadKubeconfig } from "#client/node/kubeconfig.ts";
import { createCluster } from "#main/testing.ts";

/**
 * What size costs a server (`kogge up --runtime simulated`): many nodes that do nothing but live, and many pods of one
 * Deployment, from its creation to all Ready, and idle afterwards. The peer of nodes is their heartbeats alone: as
 * many lease renewals by a bare client. `node bench/scale.ts nodes 100,1000,5000`, `… pods 1000,10000,30000`.
 */
const [what = "nodes", given] = process.argv.slice(2);
const settleMs = 15_000;
const minuteMs = 60_000;
/** Nodes renew every ten seconds. */
const beatsPerMinute = 6;
const podNodes = 300;

type Row = readonly (string | number | undefined)[];

if (what === "nodes") await measureNodes((given ?? "1,100,1000,5000").split(",").map(Number));
else await measurePods((given ?? "1000,10000,30000").split(",").map(Number));
process.exit();

async function measureNodes(counts: readonly number[]): Promise<void> {
  const renewalUs = await renewalCpuUs();
  const rows: Row[] = [];
  let first: { readonly count: number; readonly anonymousMb: number } | undefined;
  for (const count of counts) {
    await using cluster = await startCluster(["--runtime", "simulated", "--nodes", String(count)]);
    const { pid, startupMs } = cluster.up;
    await wait(settleMs);
    const before = cpuMsOf(pid);
    await wait(minuteMs);
    const cpuMs = cpuMsOf(pid) - before;
    const { residentMb, anonymousMb } = memoryOf(pid);
    first ??= { count, anonymousMb };
    const more = count - first.count;
    const perNodeKb = more === 0 ? undefined : ((anonymousMb - first.anonymousMb) / more) * 1_024;
    const alone = (count * beatsPerMinute * renewalUs) / 1_000;
    const times = cpuMs / alone;
    rows.push([
      `${count} nodes`,
      startupMs / 1_000,
      cpuMs / 1_000,
      times,
      residentMb,
      anonymousMb,
      perNodeKb,
    ]);
  }
  printTable(
    [
      "idle nodes",
      "start s",
      "CPU s a minute",
      "times renewals alone",
      "resident MB",
      "anonymous MB",
      "KB a node",
    ],
    rows,
  );
}

/** CPU of one lease renewal by a bare client in the server's process, with nobody watching. */
async function renewalCpuUs(): Promise<number> {
  await using cluster = await createCluster({ nodes: 0 });
  const { client } = cluster;
  const count = 1_000;
  const at = { namespace: "default", name: "bare" };
  const lease: Lease = { apiVersion: "coordination.k8s.io/v1", kind: "Lease", metadata: at };
  let held = await client.create(leases, { ...lease, spec: { holderIdentity: "bare" } });
  const before = process.cpuUsage();
  for (let beat = 0; beat < count; beat++) {
    const renewTime = new Date(beat * 10_000).toISOString().replace("Z", "000Z");
    held = await client.update(leases, { ...held, spec: { ...held.spec, renewTime } });
  }
  const { user, system } = process.cpuUsage(before);
  return (user + system) / count;
}

async function measurePods(counts: readonly number[]): Promise<void> {
  const rows: Row[] = [];
  for (const count of counts) {
    const nodes = Math.max(podNodes, Math.ceil(count / 100));
    await using cluster = await startCluster(["--runtime", "simulated", "--nodes", String(nodes)]);
    const { pid } = cluster.up;
    await wait(settleMs);
    const empty = memoryOf(pid).anonymousMb;
    const before = cpuMsOf(pid);
    const start = performance.now();
    await withClient(cluster.up, async (client) => {
      await client.create(deployments, simulatedDeployment("measured", count));
      await whenReady(client, "measured", count);
    });
    const seconds = (performance.now() - start) / 1_000;
    const cpuMs = cpuMsOf(pid) - before;
    await wait(settleMs);
    const idleFrom = cpuMsOf(pid);
    await wait(minuteMs);
    const idle = (cpuMsOf(pid) - idleFrom) / 1_000;
    const { residentMb, anonymousMb } = memoryOf(pid);
    const perPodKb = ((anonymousMb - empty) / count) * 1_024;
    rows.push([
      `${count} pods, ${nodes} nodes`,
      seconds,
      cpuMs / 1_000,
      cpuMs / count,
      residentMb,
      anonymousMb,
      perPodKb,
      idle,
    ]);
  }
  printTable(
    [
      "a Deployment",
      "all Ready s",
      "CPU s",
      "CPU ms a pod",
      "resident MB",
      "anonymous MB",
      "KB a pod",
      "idle CPU s a minute",
    ],
    rows,
  );
}

async function withClient(up: Up, act: (client: Client) => Promise<void>): Promise<void> {
  using transport = createHttpsTransport(await loadKubeconfig(up.kubeconfig));
  await act(createClient(transport));
}
