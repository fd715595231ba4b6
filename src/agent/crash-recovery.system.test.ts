import { deepEqual, equal, ok } from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { cgroupMount } from "#agent/node/cgroup-files.ts";
import type { ContainerRuntime } from "#agent/runtime/container-runtime.ts";
import { configMaps, pods } from "#api/resources.ts";
import { type Clock, systemClock } from "#base/clock.ts";
import { seededRandom } from "#base/random.ts";
import type { Client } from "#client/client.ts";
import {
  emptied,
  isReady,
  needsContainers,
  openRealNode,
  podOnNode,
  shellContainer,
  until,
} from "#test/real-node.ts";

const crashes = 100;

/**
 * What an agent is given, until it dies: then no call ever comes back and no timer goes off, as after `kill -9`. What
 * had been asked of the runtime before still happens.
 */
function mortal(runtime: ContainerRuntime, client: Client) {
  let callsLeft = Infinity;
  let isDead = false;
  const { promise: death, resolve: die } = Promise.withResolvers<void>();
  const never = new Promise<never>(() => {});
  const guard = <T extends object>(target: T, afterwards: boolean): T =>
    new Proxy(target, {
      get(_, key) {
        const value = Reflect.get(target, key) as unknown;
        if (typeof value !== "function" || key === "onEvent") return value;
        return (...args: unknown[]) => {
          if (isDead) return never;
          callsLeft -= 1;
          if (callsLeft < 0) {
            isDead = true;
            die();
            // Half of the time the call has been made and its answer is lost.
            if (afterwards && callsLeft % 2 === 0) void call(target, value, args);
            return never;
          }
          const result = (value as (...args: unknown[]) => unknown).apply(target, args);
          if (!(result instanceof Promise)) return result;
          return result.then(
            (answer: unknown) => (isDead ? never : answer),
            (error: unknown) => (isDead ? never : Promise.reject(error as Error)),
          );
        };
      },
    });
  const clock: Clock = {
    now: () => systemClock.now(),
    after: (delayMs, act) => systemClock.after(delayMs, () => void (isDead || act())),
  };
  return {
    runtime: guard(runtime, true),
    client: guard(client, false),
    clock,
    death,
    dieAfter(calls: number) {
      callsLeft = calls;
    },
  };
}

async function call(target: object, method: unknown, args: unknown[]): Promise<void> {
  try {
    await (method as (...args: unknown[]) => Promise<unknown>).apply(target, args);
  } catch {
    // Whoever asked is dead.
  }
}

test("an agent that dies a hundred times leaks nothing", { skip: needsContainers }, async () => {
  await using node = await openRealNode();
  const { client, dataDir, cgroupRoot } = node;
  const random = seededRandom(11);
  const interfacesBefore = interfaces();
  await client.create(configMaps, {
    apiVersion: "v1",
    kind: "ConfigMap",
    metadata: { namespace: "default", name: "c" },
    data: { a: "1" },
  });
  const names: string[] = [];
  for (let round = 0; round < crashes; round += 1) {
    const life = mortal(node.runtime, client);
    const name = `p${round}`;
    names.push(name);
    await client.create(pods, shortPod(name));
    if (names.length > 3) {
      const [oldest = ""] = names.splice(Math.floor(random() * 3), 1);
      await client.delete(pods, { namespace: "default", name: oldest });
    }
    life.dieAfter(Math.floor(random() * 40));
    void node.startAgent({ runtime: life.runtime, client: life.client, clock: life.clock });
    const { promise: late, resolve } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      life.dieAfter(0);
      resolve();
    }, 400);
    await Promise.race([life.death, late]);
    clearTimeout(timer);
  }
  const agent = await node.startAgent();
  for (const name of names) await until(client, name, isReady);
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
  deepEqual(podGroups(cgroupRoot), []);
  await agent.stopAll();
  ok(!existsSync(join(cgroupMount, "memory", cgroupRoot)));
});

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
