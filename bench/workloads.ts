import process from "node:process";
import type { Job } from "#api/generated/types.ts";
import type { KubeObject } from "#api/meta.ts";
import { deployments, events, jobs, pods } from "#api/resources.ts";
import type { Client } from "#client/client.ts";
import { createCluster } from "#main/testing.ts";
import { printTable } from "#bench/measure.ts";
import { simulatedDeployment, unscheduledPod, whenReady } from "#bench/workload.ts";

/**
 * Workloads from `apply` to the end, on 100 simulated nodes in this process: Deployments of 1,000 to 10,000 pods until
 * all are Ready, and 2,000 Jobs at once until all are complete. The peer is the API itself: the writes that one pod
 * causes on its way, made by a bare client that waits for nobody. Sizes may be given as words.
 */
const given = process.argv.slice(2).map(Number);
const sizes = given.length > 0 ? given : [1_000, 3_000, 10_000];
const jobCount = 2_000;
const nodeCount = 100;

type Row = readonly (string | number | undefined)[];

const bareCount = 1_000;
const bare = await bareWritesTook(bareCount);
const rows: Row[] = [["the writes alone, 1,000 pods", ...timesOf(bare, bareCount), 1, undefined]];
for (const size of sizes) rows.push(await deployment(size));
rows.push(await manyJobs(jobCount));
printTable(["", "s", "CPU s", "CPU ms each", "times the writes alone", "KB each"], rows);
process.exit();

async function deployment(replicas: number): Promise<Row> {
  await using cluster = await createCluster({ nodes: nodeCount });
  const before = usedBytes();
  const took = stopwatch();
  await cluster.client.create(deployments, simulatedDeployment("measured", replicas));
  await whenReady(cluster.client, "measured", replicas);
  return rowOf(`a Deployment of ${replicas}`, { took: took(), count: replicas, before });
}

async function manyJobs(count: number): Promise<Row> {
  await using cluster = await createCluster({ nodes: nodeCount });
  const { client, informers } = cluster;
  const took = stopwatch();
  const informer = informers.of(jobs);
  await informer.synced;
  let complete = 0;
  const isComplete = ({ status }: Job): boolean =>
    status?.conditions?.some(({ type }) => type === "Complete") ?? false;
  informer.onChange((change) => {
    const was = change.kind === "modified" && isComplete(change.old);
    if (change.kind !== "deleted" && isComplete(change.object) && !was) complete++;
  });
  await inParallel(count, async (at) => {
    await client.create(jobs, shortJob(`job-${at}`));
  });
  await informer.until(() => complete === count, AbortSignal.timeout(600_000));
  return rowOf(`${count} Jobs at once`, { took: took(), count });
}

interface Took {
  readonly wallMs: number;
  readonly cpuMs: number;
}

function stopwatch(): () => Took {
  const start = performance.now();
  const before = process.cpuUsage();
  return () => {
    const { user, system } = process.cpuUsage(before);
    return { wallMs: performance.now() - start, cpuMs: (user + system) / 1_000 };
  };
}

function timesOf({ wallMs, cpuMs }: Took, count: number): Row {
  return [wallMs / 1_000, cpuMs / 1_000, cpuMs / count];
}

/** The ratio is of CPU time: wall time also tells who else uses the machine. */
function rowOf(
  name: string,
  { took, count, before }: { took: Took; count: number; before?: number },
): Row {
  const ratio = took.cpuMs / count / (bare.cpuMs / bareCount);
  const memory = before === undefined ? undefined : (usedBytes() - before) / count / 1_024;
  return [name, ...timesOf(took, count), ratio, memory];
}

/** Buffers hold the history of the last minutes too; it is forgotten later. */
function usedBytes(): number {
  globalThis.gc?.();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** A pod's creation, binding, three changes of its status and four events. */
async function bareWritesTook(count: number): Promise<Took> {
  await using cluster = await createCluster({ nodes: 0 });
  const took = stopwatch();
  await inParallel(count, (at) => bareWrites(cluster.client, `bare-${at}`));
  return took();
}

async function bareWrites(client: Client, name: string): Promise<void> {
  const at = { namespace: "default", name };
  await client.create(pods, unscheduledPod(name));
  const target = { kind: "Node", name: "nowhere" };
  const binding = { apiVersion: "v1", kind: "Binding", metadata: at, target } as KubeObject;
  await client.post(pods, { ...at, subresource: "binding" }, binding);
  for (const phase of ["Pending", "Pending", "Running"]) {
    const condition = { type: "Ready", status: phase === "Running" ? "True" : "False" };
    const value = { status: { phase, conditions: [condition] } };
    await client.patch(pods, at, { kind: "strategic", value }, { subresource: "status" });
  }
  for (let number = 0; number < 4; number++) {
    await client.create(events, {
      apiVersion: "v1",
      kind: "Event",
      metadata: { namespace: "default", name: `${name}.${number}` },
      involvedObject: { kind: "Pod", ...at },
      reason: "Started",
      message: "Started container",
      type: "Normal",
    });
  }
}

async function inParallel(count: number, act: (at: number) => Promise<void>): Promise<void> {
  let next = 0;
  const work = async (): Promise<void> => {
    while (next < count) await act(next++);
  };
  await Promise.all(Array.from({ length: 50 }, work));
}

function shortJob(name: string): Job {
  const annotations = { "simulated.kogge.dev/run-seconds": "0" };
  return {
    apiVersion: "batch/v1",
    kind: "Job",
    metadata: { name, namespace: "default" },
    spec: {
      template: {
        metadata: { annotations },
        spec: { restartPolicy: "Never", containers: [{ name: "c", image: "i" }] },
      },
    },
  };
}
