import { deepEqual, equal, match } from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { Pod } from "#api/generated/types.ts";
import { pods } from "#api/resources.ts";
import { createCluster } from "#main/testing.ts";
import { kubectlBinary, run } from "#test/clients.ts";
import { missing } from "#test/needs.ts";

const at = { namespace: "default", name: "busy" };
const busy: Pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: {
    ...at,
    labels: { app: "busy" },
    annotations: {
      "simulated.kogge.dev/cpu": "250m",
      "simulated.kogge.dev/memory": "32Mi",
      "simulated.kogge.dev/memory.side": "96Mi",
    },
  },
  spec: {
    containers: [
      { name: "main", image: "a" },
      { name: "side", image: "a" },
    ],
  },
};

test(
  "kubectl top shows what nodes, pods and containers use",
  { skip: missing("clients") },
  async () => {
    using cleaning = new DisposableStack();
    await using cluster = await createCluster({ nodes: 2 });
    await cluster.client.create(pods, busy);
    const idle = { ...busy, metadata: { namespace: "default", name: "idle" } };
    await cluster.client.create(pods, idle);
    const running = cluster.informers.of(pods);
    await running.until(
      () => [...running.list("default")].every(({ status }) => status?.phase === "Running"),
      AbortSignal.timeout(10_000),
    );
    const directory = mkdtempSync(join(tmpdir(), "kogge-top-"));
    cleaning.defer(() => rmSync(directory, { recursive: true }));
    cluster.writeKubeconfig(join(directory, "kubeconfig"));
    const kubectl = (words: readonly string[]) =>
      run(kubectlBinary(), [...words, "--kubeconfig", join(directory, "kubeconfig")], {
        env: { HOME: directory },
      });
    const top = async (...words: string[]): Promise<string[][]> => {
      const { stdout, stderr } = await kubectl(["top", ...words]);
      equal(stderr, "");
      return stdout
        .trim()
        .split("\n")
        .map((line) => line.trim().split(/ +/));
    };
    deepEqual(await top("pods", "-l", "app=busy"), [
      ["NAME", "CPU(cores)", "MEMORY(bytes)"],
      ["busy", "500m", "128Mi"],
    ]);
    deepEqual(await top("pod", "busy", "--containers", "--no-headers"), [
      ["busy", "main", "250m", "32Mi"],
      ["busy", "side", "250m", "96Mi"],
    ]);
    deepEqual(
      (await top("nodes", "--no-headers")).map(([name]) => name),
      ["node-1", "node-2"],
    );
    const { stdout } = await kubectl(["get", "podmetrics.metrics.k8s.io", "-A"]);
    match(stdout, /^NAMESPACE +NAME +CPU +MEMORY +WINDOW\n/);
    const missing = await kubectl(["get", "podmetrics.metrics.k8s.io", "none"]);
    match(missing.stderr, /podmetrics.metrics.k8s.io "default\/none" not found/);
    equal((await top("pods")).length, 3);
    await kubectl(["create", "rolebinding", "jane", "--clusterrole=view", "--user=jane"]);
    equal((await top("pods", "--as=jane")).length, 3);
    const refused = await kubectl(["top", "nodes", "--as=jane"]);
    match(refused.stderr, /User "jane" cannot list resource "nodes"/);
  },
);
