import { join } from "node:path";
import process from "node:process";
import { pods } from "#api/resources.ts";
import type { Pod } from "#api/generated/types.ts";
import { createClient } from "#client/api-client.ts";
import type { Client } from "#client/client.ts";
import { createHttpsTransport } from "#client/node/https-transport.ts";
import { loadKubeconfig } from "#client/node/kubeconfig.ts";
import { ctrFor } from "#bench/ctr.ts";
import { cpuMsOf, kogge, printTable, temporaryDirectory, timed, upReport } from "#bench/measure.ts";
import { writeBusyboxBuild } from "#test/kogge-command.ts";
import { missing } from "#test/needs.ts";

/**
 * A pod on containerd from `create` to Running, against a bare `ctr run` of the same image on the same containerd;
 * alone, and ten at a time. A pod has a sandbox, a network and mounts that `ctr run` does not make.
 */
const rounds = 7;
const atOnce = 10;
const image = "localhost/kogge-bench/busybox:1";
const lacking = missing("root", "containerd", "cni", "nft", "buildah", "busybox");
if (lacking !== false) {
  console.log(`Cannot measure pods on containerd here: ${String(lacking)}`);
  process.exit();
}

using scratch = temporaryDirectory();
const dataDir = join(scratch.path, "data");
const started = await kogge(dataDir, ["up", "--runtime", "containerd", "--detach", "--json"]);
const up = upReport(started.output);
const ctr = ctrFor(join(dataDir, "containerd/containerd.sock"));
try {
  writeBusyboxBuild(join(scratch.path, "busybox"));
  await kogge(dataDir, ["image", "build", join(scratch.path, "busybox"), "-t", image]);
  using transport = createHttpsTransport(await loadKubeconfig(up.kubeconfig));
  const client = createClient(transport);
  let count = 0;
  const rows: (readonly [string, number, number, number])[] = [];
  for (const together of [1, atOnce]) {
    const ours: number[] = [];
    const bare: number[] = [];
    const cpu = cpuMsOf(up.pid);
    for (let round = 0; round < rounds; round += 1) {
      const names = Array.from({ length: together }, () => `start-${(count += 1)}`);
      bare.push(await timed(() => Promise.all(names.map((name) => ctr.run(image, name)))));
      await Promise.all(names.map(ctr.remove));
      ours.push(await timed(() => Promise.all(names.map((name) => startPod(client, name)))));
      await Promise.all(names.map((name) => removePod(client, name)));
    }
    const cpuMs = (cpuMsOf(up.pid) - cpu) / (rounds * together);
    const [least, limit] = [Math.min(...ours), Math.min(...bare)];
    rows.push([together === 1 ? "one pod" : `${together} pods at a time`, least, limit, cpuMs]);
  }
  printTable(
    ["", "to Running ms", "ctr run ms", "times ctr", "server CPU ms a pod"],
    rows.map(([name, ours, bare, cpuMs]) => [name, ours, bare, ours / bare, cpuMs]),
  );
} finally {
  await kogge(dataDir, ["down"]);
}

async function startPod(client: Client, name: string): Promise<void> {
  const stop = new AbortController();
  const made = await client.create(pods, sleepingPod(name));
  const events = await client.watch(pods, {
    signal: stop.signal,
    namespace: "default",
    fieldSelector: `metadata.name=${name}`,
    resourceVersion: made.metadata.resourceVersion ?? "",
  });
  for await (const event of events) {
    if (event.type !== "BOOKMARK" && event.object.status?.phase === "Running") break;
  }
  stop.abort();
}

function sleepingPod(name: string): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default" },
    spec: {
      terminationGracePeriodSeconds: 0,
      containers: [{ name: "main", image, command: ["sleep", "1000"] }],
    },
  };
}

function removePod(client: Client, name: string): Promise<void> {
  return client.delete(pods, { namespace: "default", name }, { gracePeriodSeconds: 0 });
}
