import { deepEqual, equal, match } from "node:assert/strict";
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { openGrpcChannel } from "#agent/containerd/grpc-channel.ts";
import { podResourcesTable } from "#agent/devices/device-messages.ts";
import type { Node } from "#api/generated/types.ts";
import { nodes, pods } from "#api/resources.ts";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import type { Client } from "#client/client.ts";
import { createInformer } from "#client/create-informer.ts";
import {
  eventually,
  isReady,
  logsOf,
  needsContainers,
  openRealNode,
  podOnNode,
  shellContainer,
  until,
} from "#test/real-node.ts";

const skip = needsContainers;
const resource = "example.com/thing";
const program = new URL("../../../examples/device-plugin/plugin.ts", import.meta.url).pathname;

/** Runs the example until it is registered. */
async function startPlugin(dataDir: string, ...more: readonly string[]) {
  const where = ["--directory", join(dataDir, "device-plugins")];
  const child = spawn(process.execPath, [program, ...where, ...more], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  await once(child.stdout, "data");
  return { child, [Symbol.asyncDispose]: () => end(child) };
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill("SIGKILL");
  await once(child, "exit");
}

/** Resolves once the node says that it has so many devices, and may give away so many. */
async function counted(client: Client, wanted: readonly (string | undefined)[]): Promise<void> {
  const stop = new AbortController();
  const late = setTimeout(() => stop.abort(new Error(`never ${wanted.join()}`)), 30_000);
  const parts = { clock: systemClock, log: silentLog, signal: stop.signal };
  const informer = createInformer(client, nodes, parts);
  await informer.synced;
  const { promise, resolve, reject } = Promise.withResolvers<void>();
  stop.signal.addEventListener("abort", () => reject(stop.signal.reason as Error));
  const look = (): void => {
    const { capacity, allocatable } = informer.get({ name: "n" })?.status ?? ({} as NodeStatus);
    if (String([capacity?.[resource], allocatable?.[resource]]) === String(wanted)) resolve();
  };
  informer.onChange(look);
  look();
  await promise;
  clearTimeout(late);
  stop.abort();
}

type NodeStatus = NonNullable<Node["status"]>;

function podWithThings(name: string, count: number, script = "sleep 1000") {
  const resources = { limits: { [resource]: String(count) } };
  // With no time at all the object would be gone before the container that has the devices.
  const terminationGracePeriodSeconds = 1;
  return podOnNode(name, {
    terminationGracePeriodSeconds,
    containers: [{ ...shellContainer("main", script), resources }],
  });
}

test(
  "a plugin's devices are given to containers, shown where others ask, and kept over the agent's restart",
  { skip },
  async () => {
    await using node = await openRealNode();
    const { client, dataDir } = node;
    const first = await node.startAgent();
    const broken = join(dataDir, "broken");
    const starts = join(dataDir, "starts");
    await writeFile(broken, "");
    const flags = ["--count", "3", "--broken", broken, "--starts", starts];
    await using plugin = await startPlugin(dataDir, ...flags);
    await counted(client, ["3", "3"]);
    const script =
      "echo $EXAMPLE_DEVICES; head -c 4 /dev/thing-2 | wc -c; wc -l < /etc/example-host; sleep 1000";
    await client.create(pods, podWithThings("user", 2, script));
    const user = await until(client, "user", isReady);
    equal(await logsOf(first, "user", "main", 3), "thing-1,thing-2\n4\n1\n");
    equal(await readFile(starts, "utf8"), "thing-1,thing-2\n");
    deepEqual(user?.status?.containerStatuses?.[0]?.allocatedResourcesStatus, [
      {
        name: resource,
        resources: [
          { resourceID: "thing-1", health: "Healthy" },
          { resourceID: "thing-2", health: "Healthy" },
        ],
      },
    ]);
    await client.create(pods, podWithThings("greedy", 2));
    await eventually(
      client,
      `Allocate failed due to requested number of devices unavailable for ${resource}. Requested: 2, Available: 1, which is unexpected`,
    );
    const refused = await client.get(pods, { namespace: "default", name: "greedy" });
    deepEqual(
      [refused.status?.phase, refused.status?.reason],
      ["Failed", "UnexpectedAdmissionError"],
    );
    await writeFile(broken, "thing-1\n");
    await until(client, "user", (pod) => {
      const [devices] = pod?.status?.containerStatuses?.[0]?.allocatedResourcesStatus ?? [];
      return devices?.resources?.[0]?.health === "Unhealthy";
    });
    await counted(client, ["3", "2"]);
    using resources = openGrpcChannel(join(dataDir, "pod-resources", "kubelet.sock"), [
      podResourcesTable,
    ]);
    const { podResources } = await resources.call<{ podResources: object[] }>(
      "v1.PodResourcesLister/List",
      {},
    );
    const topology = { nodes: [{ ID: 0 }] };
    const deviceIds = ["thing-1", "thing-2"];
    const devices = [{ resourceName: resource, deviceIds, topology }];
    const containers = [{ name: "main", devices, cpuIds: [], memory: [], dynamicResources: [] }];
    deepEqual(structuredClone(podResources), [{ name: "user", namespace: "default", containers }]);
    const all = await resources.call<{ devices: object[] }>(
      "v1.PodResourcesLister/GetAllocatableResources",
      {},
    );
    equal(all.devices.length, 3);
    const ended = once(plugin.child, "exit");
    await first[Symbol.asyncDispose]();
    await node.startAgent();
    // The example ends when the node starts again, as its README says.
    equal((await ended)[0], 75);
    await counted(client, ["0", "0"]);
    await using _again = await startPlugin(dataDir, "--count", "3");
    await counted(client, ["3", "3"]);
    await client.create(pods, podWithThings("late", 2));
    await eventually(client, /Requested: 2, Available: 1, which is unexpected$/);
    await client.delete(pods, { namespace: "default", name: "user" });
    await until(client, "user", (pod) => pod === undefined);
    await client.create(pods, podWithThings("next", 3));
    await until(client, "next", isReady);
  },
);

test("a node is well while plugins crash, hang and tell nonsense", { skip }, async () => {
  await using node = await openRealNode();
  const { client, dataDir } = node;
  await node.startAgent({ deviceCallTimeoutMs: 1000 });
  await using crashing = await startPlugin(dataDir);
  await counted(client, ["2", "2"]);
  await client.create(pods, podWithThings("runs", 1));
  const before = await until(client, "runs", isReady);
  await end(crashing.child);
  await counted(client, ["2", "0"]);
  const after = await client.get(pods, { namespace: "default", name: "runs" });
  deepEqual(
    [isReady(after), after.status?.containerStatuses?.[0]?.containerID],
    [true, before?.status?.containerStatuses?.[0]?.containerID],
  );
  await client.create(pods, podWithThings("unlucky", 1));
  await eventually(
    client,
    `Allocate failed due to no healthy devices present; cannot allocate unhealthy devices ${resource}, which is unexpected`,
  );
  await using _hanging = await startPlugin(dataDir, "--hang", "Allocate");
  await counted(client, ["2", "2"]);
  await client.create(pods, podWithThings("waits", 1));
  await eventually(
    client,
    /^Allocate failed due to rpc error: code = DeadlineExceeded desc = .*, which is unexpected$/,
  );
  await using refused = await startRefused(dataDir);
  match(refused.text, /^Cannot register: the ResourceName "kubernetes.io\/thing" is invalid/);
  await client.create(pods, podOnNode("plain"));
  await until(client, "plain", isReady);
});

async function startRefused(dataDir: string) {
  const where = ["--directory", join(dataDir, "device-plugins")];
  const child = spawn(process.execPath, [program, ...where, "--resource", "kubernetes.io/thing"], {
    stdio: ["ignore", "inherit", "pipe"],
  });
  const [text] = (await once(child.stderr, "data")) as [Buffer];
  return { text: text.toString(), [Symbol.asyncDispose]: () => end(child) };
}
