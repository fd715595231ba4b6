import { deepEqual, equal, match, notEqual, throws } from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createAgent } from "#agent/agent.ts";
import { simulatedMachine } from "#agent/node/machine-facts.ts";
import { simulatedProcesses } from "#agent/simulated/node/simulated-processes.ts";
import { createSimulatedRuntime } from "#agent/simulated/simulated-runtime.ts";
import { podKind } from "#agent/static-pods/pod-kind.ts";
import { readManifest } from "#agent/static-pods/read-manifest.ts";
import { nodes, pods } from "#api/resources.ts";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { seededRandom } from "#base/random.ts";
import { createCluster } from "#main/testing.ts";
import { until } from "#test/real-node.ts";

const manifest = (image: string): string => `
apiVersion: v1
kind: Pod
metadata:
  name: etcd
  namespace: kube-system
  labels: { tier: control-plane }
spec:
  containers:
  - name: etcd
    image: ${image}
    resources: { limits: { memory: 100Mi } }
`;

const context = { nodeName: "n1", source: "/etc/pods/etcd.yaml", kind: podKind() };

test("readManifest() makes the pod that kubelet would, and says what is wrong with others", () => {
  const read = (text: string) => readManifest(Buffer.from(text), context);
  const pod = read(manifest("etcd:1"));
  match(pod.metadata.uid ?? "", /^[0-9a-f]{32}$/);
  deepEqual(pod.metadata, {
    name: "etcd-n1",
    namespace: "kube-system",
    labels: { tier: "control-plane" },
    uid: pod.metadata.uid,
    annotations: {
      "kubernetes.io/config.hash": pod.metadata.uid,
      "kubernetes.io/config.source": "file",
    },
  });
  deepEqual(pod.spec?.tolerations, [{ operator: "Exists", effect: "NoExecute" }]);
  deepEqual(
    [pod.spec?.restartPolicy, pod.spec?.nodeName, pod.spec?.containers[0]?.resources?.requests],
    ["Always", "n1", { memory: "100Mi" }],
  );
  equal(read(manifest("etcd:1")).metadata.uid, pod.metadata.uid);
  notEqual(read(manifest("etcd:2")).metadata.uid, pod.metadata.uid);
  throws(() => read("a: ["), /yaml/i);
  throws(
    () => read("apiVersion: v1\nkind: Service\nmetadata: { name: a }"),
    /not a v1 Pod|unknown field/,
  );
  throws(() => read(manifest("etcd:1").replace("image:", "immage:")), /unknown field.*immage/);
  throws(() => read(manifest('""')), /spec\.containers\[0\]\.image/);
});

test("a static pod runs and is mirrored for as long as its file is there", async () => {
  await using cluster = await createCluster({ nodes: 0 });
  await using stack = new AsyncDisposableStack();
  const { client } = cluster;
  const folder = await mkdtemp(join(tmpdir(), "kogge-static-"));
  stack.defer(() => rm(folder, { recursive: true }));
  const shared = { clock: systemClock, random: seededRandom(1), log: silentLog };
  const podCidr = "10.244.9.0/24";
  const runtime = stack.use(
    createSimulatedRuntime({ ...shared, podCidr, processes: simulatedProcesses }),
  );
  const file = join(folder, "web.yaml");
  await writeFile(join(folder, ".hidden"), "no pod");
  await writeFile(join(folder, "broken.yaml"), "no pod either");
  await writeFile(file, manifest("web:1").replaceAll("kube-system", "default"));
  stack.use(
    await createAgent({
      ...shared,
      client,
      nodeName: "s",
      runtime,
      machine: simulatedMachine("s"),
      dns: {
        clusterServers: [],
        clusterDomain: "cluster.local",
        node: { servers: [], searches: [], options: [] },
      },
      streamPort: 10250,
      addresses: ["192.168.0.1"],
      settings: { staticPodPath: folder },
    }),
  );
  const isRunning = (image: string) => (pod: Awaited<ReturnType<typeof until>>) =>
    pod?.spec?.containers[0]?.image === image && pod.status?.phase === "Running";
  const mirror = await until(client, "etcd-s", isRunning("web:1"));
  const { metadata: node } = await client.get(nodes, { name: "s" });
  deepEqual(mirror?.metadata.ownerReferences, [
    { apiVersion: "v1", kind: "Node", name: "s", uid: node.uid, controller: true },
  ]);
  const hash = mirror?.metadata.annotations?.["kubernetes.io/config.hash"];
  equal(mirror?.metadata.annotations?.["kubernetes.io/config.mirror"], hash);
  notEqual(mirror?.metadata.uid, hash);
  const [sandbox] = await runtime.listSandboxes();
  equal(sandbox?.uid, hash);

  await client.delete(pods, { namespace: "default", name: "etcd-s" });
  const again = await until(
    client,
    "etcd-s",
    (pod) => pod?.metadata.uid !== mirror?.metadata.uid && isRunning("web:1")(pod),
  );
  notEqual(again?.metadata.uid, mirror?.metadata.uid);
  deepEqual(
    (await runtime.listSandboxes()).map(({ id }) => id),
    [sandbox?.id],
  );

  await writeFile(file, manifest("web:2").replaceAll("kube-system", "default"));
  await until(client, "etcd-s", isRunning("web:2"));
  await rm(file);
  await until(client, "etcd-s", (pod) => pod === undefined);
});
