import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type { Pod } from "#api/generated/types.ts";
import { pods } from "#api/resources.ts";
import { createCluster } from "#main/testing.ts";
import { accessOf, send } from "#test/raw-client.ts";

const runs: Pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "runs", namespace: "default" },
  spec: {
    nodeName: "node-1",
    initContainers: [{ name: "helper", image: "a", restartPolicy: "Always" }],
    containers: [
      { name: "main", image: "a" },
      { name: "side", image: "a" },
    ],
  },
};

const fails: Pod = {
  ...runs,
  metadata: { name: "fails", namespace: "default" },
  spec: {
    nodeName: "node-1",
    containers: [{ name: "main", image: "missing.simulated.kogge.dev/a" }],
  },
};

/** Those of kubelet's that an agent without drivers and plugins has. */
const families = [
  "counter kubelet_evictions",
  "counter kubelet_image_garbage_collected_total",
  "counter kubelet_orphaned_runtime_pods_total",
  "counter kubelet_run_podsandbox_errors_total",
  "counter kubelet_runtime_operations_errors_total",
  "counter kubelet_runtime_operations_total",
  "counter kubelet_started_containers_errors_total",
  "counter kubelet_started_containers_total",
  "counter kubelet_started_pods_errors_total",
  "counter kubelet_started_pods_total",
  "gauge kubelet_desired_pods",
  "gauge kubelet_node_name",
  "gauge kubelet_running_containers",
  "gauge kubelet_running_pods",
  "histogram kubelet_pod_start_duration_seconds",
  "histogram kubelet_run_podsandbox_duration_seconds",
  "histogram kubelet_runtime_operations_duration_seconds",
];

test("a node's metrics are kubelet's by name, kind and labels, and tell what happened", async () => {
  await using cluster = await createCluster({ nodes: 1 });
  const { client } = cluster;
  await using watch = new AsyncDisposableStack();
  const stop = new AbortController();
  watch.defer(() => stop.abort());
  const until = async (pod: Pod, isWanted: (status: Pod["status"]) => boolean): Promise<void> => {
    await client.create(pods, pod);
    const at = {
      namespace: "default",
      fieldSelector: `metadata.name=${pod.metadata.name}`,
      signal: stop.signal,
      sendInitialEvents: true,
    };
    for await (const event of await client.watch(pods, at)) {
      if (event.type !== "BOOKMARK" && isWanted(event.object.status)) return;
    }
  };
  const access = accessOf(cluster.kubeconfig);
  const metrics = async (): Promise<readonly string[]> => {
    const path = "/api/v1/nodes/node-1/proxy/metrics";
    const { text, status } = await send(access, { path });
    equal(status, 200, text);
    return text.trim().split("\n");
  };
  await until(runs, (status) => status?.phase === "Running");
  const lines = await metrics();
  const told = lines.flatMap((line) => /^# TYPE (\S+) (\S+)$/.exec(line)?.slice(1).join(" ") ?? []);
  deepEqual(told.map((family) => family.split(" ").toReversed().join(" ")).toSorted(), families);
  const counts = lines.filter((line) => !line.startsWith("#") && counted.test(line));
  deepEqual(counts.toSorted(), [
    'kubelet_desired_pods{static=""} 1',
    'kubelet_desired_pods{static="true"} 0',
    'kubelet_node_name{node="node-1"} 1',
    "kubelet_orphaned_runtime_pods_total 0",
    "kubelet_pod_start_duration_seconds_count 1",
    'kubelet_run_podsandbox_duration_seconds_count{runtime_handler=""} 1',
    "kubelet_running_pods 1",
    'kubelet_runtime_operations_total{operation_type="create_container"} 3',
    'kubelet_runtime_operations_total{operation_type="run_podsandbox"} 1',
    'kubelet_runtime_operations_total{operation_type="start_container"} 3',
    'kubelet_started_containers_total{container_type="container"} 2',
    'kubelet_started_containers_total{container_type="init_container"} 1',
    "kubelet_started_pods_errors_total 0",
    "kubelet_started_pods_total 1",
  ]);
  await until(fails, (status) => /Image/.test(waitingOf(status)));
  // How often it was tried by now is a matter of time.
  const failed = (await metrics()).filter((line) => /_errors_total\{/.test(line));
  deepEqual(
    failed.map((line) => line.replace(/ \d+$/, "")).filter((line) => !line.includes("BackOff")),
    [
      'kubelet_runtime_operations_errors_total{operation_type="pull_image"}',
      'kubelet_started_containers_errors_total{code="ErrImagePull",container_type="container"}',
    ],
  );
});

const counted =
  /^kubelet_(node_name|desired|started|running_pods|orphaned|evictions|image|runtime_operations_total.*(run|start|create)_|.*(pod_start|run_podsandbox)_duration_seconds_count)/;

function waitingOf(status: Pod["status"]): string {
  return status?.containerStatuses?.[0]?.state?.waiting?.reason ?? "";
}
