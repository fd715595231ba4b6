import { deepEqual, equal } from "node:assert/strict";
import { type ChildProcessByStdio, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import type { Readable, Writable } from "node:stream";
import { test } from "node:test";
import { cgroupMount } from "#agent/node/cgroup-files.ts";
import { configMaps, pods } from "#api/resources.ts";
import { createLog, formatRecord } from "#base/log.ts";
import { seededRandom } from "#base/random.ts";
import { createCluster } from "#main/testing.ts";
import {
  emptied,
  holds,
  isReady,
  needsContainers,
  openRealNode,
  podOnNode,
  shellContainer,
  until,
} from "#test/real-node.ts";

const crashes = 100;
/** How long an agent works at most. */
const lifeMs = 1000;

test(
  "an agent that is killed a hundred times leaks nothing",
  { skip: needsContainers },
  async () => {
    await using cluster = await createCluster({ nodes: 0 });
    const { client } = cluster;
    await using node = await openRealNode({ client });
    const { dataDir, cgroupRoot } = node;
    const kubeconfig = join(dataDir, "kubeconfig");
    cluster.writeKubeconfig(kubeconfig);
    const random = seededRandom(11);
    const interfacesBefore = interfaces();
    await client.create(configMaps, {
      apiVersion: "v1",
      kind: "ConfigMap",
      metadata: { namespace: "default", name: "c" },
      data: { a: "1" },
    });
    const names: string[] = [];
    const words = [kubeconfig, node.containerd.socket, dataDir, cgroupRoot];
    const load = (): Promise<Child> => loadAgent(words, join(dataDir, "compile-cache"));
    let next = load();
    for (let round = 0; round < crashes; round += 1) {
      const name = `p${round}`;
      names.push(name);
      await client.create(pods, shortPod(name));
      if (names.length > 3) {
        const [oldest = ""] = names.splice(Math.floor(random() * 3), 1);
        await client.delete(pods, { namespace: "default", name: oldest });
      }
      const child = await next;
      if (round < crashes - 1) next = load();
      await liveAndDie(child, random() * lifeMs);
    }
    const lines: string[] = [];
    const log = createLog((record) => lines.push(formatRecord(record, "")));
    const agent = await node.startAgent({ log });
    for (const name of names) await until(client, name, isReady);
    await holds(join(dataDir, "pods"), names.length).catch((cause: unknown) => {
      throw new Error(lines.join("\n"), { cause });
    });
    // Its sandbox is gone when a pod's folder is.
    const running = (await node.runtime.listSandboxes()).filter(({ state }) => state === "ready");
    deepEqual(running.map(({ name }) => name).toSorted(), names.toSorted());
    for (const name of names) {
      await client.delete(pods, { namespace: "default", name });
      await until(client, name, (pod) => pod === undefined);
    }
    await emptied(join(dataDir, "pods"));
    await emptied(join(dataDir, "logs", "pods"));
    deepEqual(await node.runtime.listSandboxes(), []);
    deepEqual(await node.runtime.listContainers(), []);
    deepEqual(mountsBelow(join(dataDir, "pods")), []);
    deepEqual(interfaces(), interfacesBefore);
    deepEqual(addresses(join(dataDir, "ipam", "kogge-agent")), []);
    await agent.stopAll();
    deepEqual(podGroups(cgroupRoot), []);
  },
);

type Child = ChildProcessByStdio<Writable, Readable, null>;

/** A process that has loaded the agent and waits for the word to start it. */
async function loadAgent(words: readonly string[], compileCache: string): Promise<Child> {
  const script = join(import.meta.dirname, "../../test/agent-process.ts");
  const stdio = ["pipe", "pipe", "inherit"] as const;
  const env = { ...process.env, NODE_COMPILE_CACHE: compileCache };
  const child = spawn(process.execPath, [script, ...words], { stdio: [...stdio], env });
  const ended = once(child, "exit").then(() => Promise.reject(new Error("the agent did not load")));
  await Promise.race([once(child.stdout, "data"), ended]);
  ended.catch(() => {});
  return child;
}

/** Lets an agent start and work for a while, and kills it as it stands. */
async function liveAndDie(child: Child, workMs: number): Promise<void> {
  child.stdin.write("go\n");
  await new Promise((resolve) => setTimeout(resolve, workMs));
  const exited = once(child, "exit");
  child.kill("SIGKILL");
  await exited;
}

function shortPod(name: string) {
  return podOnNode(name, {
    initContainers: [shellContainer("prepare", "true")],
    containers: [
      {
        ...shellContainer("main", "sleep 1000"),
        volumeMounts: [
          { name: "memory", mountPath: "/m", subPath: "a" },
          { name: "config", mountPath: "/c" },
        ],
      },
    ],
    volumes: [
      { name: "memory", emptyDir: { medium: "Memory" } },
      { name: "config", configMap: { name: "c" } },
    ],
  });
}

function interfaces(): readonly string[] {
  const { stdout } = spawnSync("ip", ["-o", "link"], { encoding: "utf8" });
  return stdout.split("\n").flatMap((line) => /: (veth[^@:]+)/.exec(line)?.[1] ?? []);
}

function mountsBelow(folder: string): readonly string[] {
  return readFileSync("/proc/mounts", "utf8")
    .split("\n")
    .filter((line) => line.includes(folder));
}

function addresses(folder: string): readonly string[] {
  const names = existsSync(folder) ? readdirSync(folder) : [];
  return names.filter((name) => /^\d+\.\d+\.\d+\.\d+$/.test(name));
}

function podGroups(cgroupRoot: string): readonly string[] {
  const found = spawnSync("find", [cgroupMount, "-path", `*${cgroupRoot}/*`, "-name", "pod*"], {
    encoding: "utf8",
  });
  equal(found.stderr, "");
  return found.stdout.split("\n").filter(Boolean);
}
