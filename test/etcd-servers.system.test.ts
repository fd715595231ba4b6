import { deepEqual, equal, match, ok } from "node:assert/strict";
import type { ChildProcess } from "node:child_process";
import { once } from "node:events";
import { cpSync, mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openEtcdStore } from "#storage/node/etcd-store.ts";
import { kubectlFor } from "#test/clients.ts";
import { freePorts, startEtcd } from "#test/etcd.ts";
import { koggeBinary, koggeFor, start } from "#test/kogge-command.ts";
import { missing } from "#test/needs.ts";
import { temporaryFolder } from "#test/temporary.ts";

const skip = missing("linux", "clients", "etcd");

test(
  "two servers on one etcd are one cluster; when one dies, the other goes on",
  { skip, timeout: 240_000 },
  async () => {
    using folder = temporaryFolder("etcd-servers");
    await using etcd = await startEtcd();
    const [firstPort, secondPort] = await freePorts(2);
    const at = (name: string): string => join(folder.path, name);
    await using first = await startServer(at("a"), firstPort, etcd.endpoint);
    copyIdentity(at("a"), at("b"));
    // It has nodes, so that pods run; the settings it was given name the store.
    await using secondCluster = koggeFor(at("b"));
    const ports = ["--port", String(secondPort), "--nodes", "2", "--runtime", "simulated"];
    await secondCluster.up(ports);
    const one = kubectlFor(join(at("a"), "kubeconfig"));
    const two = kubectlFor(join(at("b"), "kubeconfig"));

    await one("create deployment web --image=web:1 --replicas=3");
    equal(await two("get deployment web -o jsonpath={.spec.replicas}"), "3");
    await two("rollout status deployment/web --timeout=60s");
    for (let round = 0; round < 10; round += 1) {
      await one(["create", "configmap", `made-${round}`]);
      await two(["delete", "configmap", `made-${round}`]);
      equal((await one.try(["get", "configmap", `made-${round}`])).code, 1);
    }
    await one("create secret generic s --from-literal=a=swordfish");
    equal(await two("get secret s -o jsonpath={.data.a}"), btoa("swordfish"));
    await using raw = await openEtcdStore({ endpoints: [etcd.endpoint] });
    const stored = await raw.get("/registry/core/secrets/default/s");
    match(Buffer.from(stored?.value ?? []).toString(), /^k8s:enc:aesgcm:v1:key1:/);
    const holders = () =>
      two("get leases -n kube-system -o jsonpath={.items[*].spec.holderIdentity}");
    const before = (await holders()).split(" ");
    equal(before.length, 2);
    equal(new Set(before).size, 1, "the first server runs controllers and scheduler");

    first.child.kill("SIGKILL");
    await two("scale deployment web --replicas=5");
    await two("rollout status deployment/web --timeout=90s");
    const heirs = (await holders()).split(" ");
    equal(
      heirs.some((heir) => before.includes(heir)),
      false,
    );

    await etcd.kill();
    const refused = await two.try(["get", "--raw", "/readyz", "--request-timeout=20s"]);
    equal(refused.code, 1);
    await etcd.start();
    await two("wait --for=condition=Available deployment/web --timeout=60s");
    await two("scale deployment web --replicas=2");
    await two("rollout status deployment/web --timeout=60s");

    await using again = await startServer(at("a"), firstPort, etcd.endpoint);
    ok(again.child.pid);
    equal(await one("get deployment web -o jsonpath={.status.readyReplicas}"), "2");
    deepEqual(await one("get pods -o name"), await two("get pods -o name"));
  },
);

test(
  "a server with other keys is refused; another prefix is another cluster; a backup is etcd's own",
  { skip, timeout: 120_000 },
  async () => {
    using folder = temporaryFolder("etcd-refused");
    await using etcd = await startEtcd();
    const [port] = await freePorts(1);
    const mine = join(folder.path, "mine");
    {
      await using _ = await startServer(mine, port, etcd.endpoint);
    }
    const store = ["--store", `etcd=${etcd.endpoint}`];
    const other = koggeFor(join(folder.path, "other"));
    const refused = await other.try(["server", ...store, "--port", String(port)]);
    match(refused.stderr, /Cannot use the store: it belongs to a cluster with other keys\./);
    const keyless = join(folder.path, "keyless");
    copyIdentity(mine, keyless);
    rmSync(join(keyless, "pki/encryption.json"));
    const lost = await koggeFor(keyless).try(["server", "--port", String(port)]);
    match(lost.stderr, /pki\/encryption\.json with the key of its Secrets is missing here/);
    const apart = await startServer(join(folder.path, "apart"), port, etcd.endpoint, [
      "--etcd-prefix",
      "/apart",
    ]);
    await apart[Symbol.asyncDispose]();
    const backup = await koggeFor(mine).try(["backup", join(folder.path, "b.tar")]);
    match(backup.stderr, /etcdctl --endpoints http:\S+ snapshot save FILE/);
  },
);

interface Server extends AsyncDisposable {
  readonly child: ChildProcess;
}

/** `kogge server` in the foreground of a process; resolves when it serves. */
async function startServer(
  dataDir: string,
  port: number | undefined,
  endpoint: string,
  words: readonly string[] = [],
): Promise<Server> {
  const { child, output } = start(
    koggeBinary,
    [
      "server",
      "--data-dir",
      dataDir,
      "--store",
      `etcd=${endpoint}`,
      "--port",
      String(port),
      ...words,
    ],
    {},
  );
  const exited = once(child, "exit");
  await new Promise<void>((resolve, reject) => {
    child.stdout.on("data", () => output.text.includes("Serving at") && resolve());
    child.on("exit", () => reject(new Error(`kogge server ended: ${output.text}`)));
  });
  return {
    child,
    [Symbol.asyncDispose]: async () => {
      child.kill("SIGTERM");
      await exited;
    },
  };
}

/** What the documentation says a server needs to join another one. */
function copyIdentity(from: string, to: string): void {
  mkdirSync(to);
  cpSync(join(from, "pki"), join(to, "pki"), { recursive: true });
  cpSync(join(from, "cluster.json"), join(to, "cluster.json"));
}
