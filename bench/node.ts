import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { get } from "node:https";
import { join } from "node:path";
import process from "node:process";
import { setTimeout as delay } from "node:timers/promises";
import { WebSocket } from "ws";
import { pods } from "#api/resources.ts";
import type { Pod } from "#api/generated/types.ts";
import { createClient } from "#client/api-client.ts";
import { createHttpsTransport } from "#client/node/https-transport.ts";
import { loadKubeconfig } from "#client/node/kubeconfig.ts";
import { ctrFor } from "#bench/ctr.ts";
import { cpuMsOf, kogge, printTable, temporaryDirectory, timed, upReport } from "#bench/measure.ts";
import { writeBusyboxBuild } from "#test/kogge-command.ts";
import { missing } from "#test/needs.ts";
import { accessOf } from "#test/raw-client.ts";

/**
 * A node with real containers: how long pods take to start and to end, one, ten and a hundred at a time, against bare
 * `ctr run` and `ctr task rm` of the same image; an exec against `ctr task exec`; a log against `cat` of its file; and
 * what the server with its agent takes while 110 pods only sleep.
 */
const image = "localhost/kogge-bench/node:1";
/** Ends when it is told to, unlike a shell's child that is the first process. */
const patient = ["sh", "-c", "trap 'exit 0' TERM; sleep 1000 & wait"];
const logMebibytes = 64;
const idleSeconds = 20;
/** What their start took is given back five to ten seconds after it. */
const settleMs = 15_000;
const lacking = missing("root", "containerd", "cni", "nft", "buildah", "busybox");
if (lacking !== false) {
  console.log(`Cannot measure a node here: ${String(lacking)}`);
  process.exit();
}

using scratch = temporaryDirectory();
const dataDir = join(scratch.path, "data");
mkdirSync(dataDir);
const settings = { maxPods: 120, containerLogMaxSize: "1Gi" };
const kind = { apiVersion: "kubelet.config.k8s.io/v1beta1", kind: "KubeletConfiguration" };
writeFileSync(join(dataDir, "node.yaml"), JSON.stringify({ ...kind, ...settings }));
const started = await kogge(dataDir, ["up", "--runtime", "containerd", "--detach", "--json"]);
const up = upReport(started.output);
const ctr = ctrFor(join(dataDir, "containerd/containerd.sock"));
using transport = createHttpsTransport(await loadKubeconfig(up.kubeconfig));
const client = createClient(transport);
const access = accessOf(readFileSync(up.kubeconfig, "utf8"));
try {
  writeBusyboxBuild(join(scratch.path, "busybox"));
  await kogge(dataDir, ["image", "build", join(scratch.path, "busybox"), "-t", image]);
  await measurePods();
  await measureExec();
  await measureLogs();
  await measureIdle();
} finally {
  await kogge(dataDir, ["down"]);
}

async function measurePods(): Promise<void> {
  const rows: (readonly [string, ...number[]])[] = [];
  for (const [together, rounds] of [
    [1, 10],
    [10, 3],
    [100, 1],
  ] as const) {
    const times = { start: [], stop: [], ctrStart: [], ctrStop: [] } as Record<string, number[]>;
    for (let round = 0; round < rounds; round += 1) {
      const names = Array.from(
        { length: together },
        (_, index) => `p-${together}-${round}-${index}`,
      );
      times["ctrStart"]?.push(...(await each(names, (name) => ctr.run(image, name))));
      times["ctrStop"]?.push(...(await each(names, ctr.remove)));
      times["start"]?.push(...(await each(names, startPod)));
      times["stop"]?.push(...(await each(names, stopPod)));
    }
    for (const [what, ours, bare] of [
      ["start", times["start"] ?? [], times["ctrStart"] ?? []],
      ["stop", times["stop"] ?? [], times["ctrStop"] ?? []],
    ] as const) {
      const [p50, p99, bare50] = [at(ours, 0.5), at(ours, 0.99), at(bare, 0.5)];
      rows.push([`${what}, ${together} at a time`, p50, p99, bare50, at(bare, 0.99), p50 / bare50]);
    }
  }
  const titles = ["pods", "p50 ms", "p99 ms", "ctr p50 ms", "ctr p99 ms", "times ctr"];
  printTable(titles, rows);
}

async function measureExec(): Promise<void> {
  await startPod("shell");
  const at1: number[] = [];
  const bare: number[] = [];
  const pod = await client.get(pods, { namespace: "default", name: "shell" });
  const id = pod.status?.containerStatuses?.[0]?.containerID?.slice("containerd://".length) ?? "";
  for (let round = 0; round < 20; round += 1) {
    at1.push(await timed(() => exec("shell", ["true"])));
    bare.push(await timed(() => ctr(["task", "exec", "--exec-id", `e${round}`, id, "true"])));
  }
  const many = await timed(() =>
    Promise.all(Array.from({ length: 100 }, () => exec("shell", ["true"]))),
  );
  printTable(
    ["exec", "p50 ms", "ctr p50 ms", "times ctr", "100 at once ms"],
    [["true", at(at1, 0.5), at(bare, 0.5), at(at1, 0.5) / at(bare, 0.5), many]],
  );
}

async function measureLogs(): Promise<void> {
  const line = "0123456789".repeat(10);
  const script = `yes ${line} | head -c ${logMebibytes}m; sleep 1000`;
  await startPod("chatty", ["sh", "-c", script]);
  const folder = join(dataDir, "nodes");
  const [node = ""] = readdirSync(folder);
  const logs = join(folder, node, "logs/pods");
  const name = readdirSync(logs).find((one) => one.includes("_chatty_")) ?? "";
  const file = join(logs, name, "main/0.log");
  for (let size = -1; size !== readFileSync(file).length; await delay(500)) {
    size = readFileSync(file).length;
  }
  const mebibytes = readFileSync(file).length / 1024 ** 2;
  const ours = Math.min(...(await repeated(3, () => readLog("chatty"))));
  const bare = Math.min(...(await repeated(3, () => cat(file))));
  const speed = (timeMs: number): number => (mebibytes * 1000) / timeMs;
  printTable(
    ["log", "MiB/s", "cat MiB/s", "share of cat"],
    [[`${Math.round(mebibytes)} MiB of file`, speed(ours), speed(bare), bare / ours]],
  );
}

async function measureIdle(): Promise<void> {
  const names = Array.from({ length: 108 }, (_, index) => `idle-${index}`);
  for (let from = 0; from < names.length; from += 12) {
    await Promise.all(names.slice(from, from + 12).map((name) => startPod(name)));
  }
  await delay(settleMs);
  const before = cpuMsOf(up.pid);
  await delay(idleSeconds * 1000);
  const percent = (cpuMsOf(up.pid) - before) / (idleSeconds * 10);
  const status = readFileSync(`/proc/${up.pid}/status`, "utf8");
  const mebibytes = Number(/VmRSS:\s+(\d+)/.exec(status)?.[1]) / 1024;
  printTable(["110 idle pods", "% of a core", "MiB"], [["server and agent", percent, mebibytes]]);
}

async function each(
  names: readonly string[],
  act: (name: string) => Promise<void>,
): Promise<readonly number[]> {
  return Promise.all(names.map((name) => timed(() => act(name))));
}

async function repeated(count: number, act: () => Promise<unknown>): Promise<readonly number[]> {
  const times: number[] = [];
  for (let round = 0; round < count; round += 1) times.push(await timed(act));
  return times;
}

function at(times: readonly number[], share: number): number {
  const sorted = times.toSorted((left, right) => left - right);
  return sorted[Math.min(sorted.length - 1, Math.floor(sorted.length * share))] ?? 0;
}

async function startPod(name: string, command: readonly string[] = patient): Promise<void> {
  const pod: Pod = {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, namespace: "default" },
    spec: { terminationGracePeriodSeconds: 1, containers: [{ name: "main", image, command }] },
  };
  const made = await client.create(pods, pod);
  await changes(name, made, (changed) => changed.status?.phase === "Running");
}

/** Until its object is gone, which comes after its containers' end. */
async function stopPod(name: string): Promise<void> {
  const found = await client.get(pods, { namespace: "default", name });
  const gone = changes(name, found, () => false);
  await client.delete(pods, { namespace: "default", name });
  await gone;
}

async function changes(name: string, from: Pod, isWanted: (pod: Pod) => boolean): Promise<void> {
  const stop = new AbortController();
  const events = await client.watch(pods, {
    signal: stop.signal,
    namespace: "default",
    fieldSelector: `metadata.name=${name}`,
    resourceVersion: from.metadata.resourceVersion ?? "",
  });
  for await (const event of events) {
    if (event.type === "DELETED" || (event.type !== "BOOKMARK" && isWanted(event.object))) break;
  }
  stop.abort();
}

async function exec(pod: string, command: readonly string[]): Promise<void> {
  const words = command.map((word) => `command=${encodeURIComponent(word)}`).join("&");
  const path = `/api/v1/namespaces/default/pods/${pod}/exec?stdout=1&${words}`;
  const { port, ...tls } = access;
  const socketOfExec = new WebSocket(`wss://127.0.0.1:${port}${path}`, ["v5.channel.k8s.io"], tls);
  await once(socketOfExec, "close");
}

async function readLog(pod: string): Promise<void> {
  const { port, ...tls } = access;
  const path = `/api/v1/namespaces/default/pods/${pod}/log`;
  const request = get({ ...tls, host: "127.0.0.1", port, path, agent: false });
  const [response] = (await once(request, "response")) as [NodeJS.ReadableStream];
  response.resume();
  await once(response, "end");
}

async function cat(file: string): Promise<void> {
  const child = spawn("cat", [file], { stdio: ["ignore", "pipe", "ignore"] });
  child.stdout.resume();
  await once(child, "close");
}
