import { deepEqual, match } from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { kubectlFor } from "#test/clients.ts";
import { koggeFor } from "#test/kogge-command.ts";
import { missing } from "#test/needs.ts";
import { temporaryFolder } from "#test/temporary.ts";

// Nodes from a file, profiles from a file, and volumes that follow their pods, with a real kubectl.

const nodesFile = `
apiVersion: kogge.dev/v1
kind: SimulatedNodes
groups:
  - { name: worker, count: 3, zones: [a, b, c] }
  - name: gpu
    taints: [{ key: gpu, effect: NoSchedule }]
    capacity: { example.com/gpu: 4 }
  - { name: win, os: windows }
`;

const profiles = `
apiVersion: kubescheduler.config.k8s.io/v1
kind: KubeSchedulerConfiguration
profiles:
  - schedulerName: default-scheduler
  - schedulerName: careless
    plugins: { multiPoint: { disabled: [{ name: TaintToleration }] } }
`;

const database = `
apiVersion: v1
kind: Service
metadata: { name: db }
spec: { clusterIP: None, selector: { app: db }, ports: [{ port: 5432 }] }
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: db }
spec:
  replicas: 3
  serviceName: db
  selector: { matchLabels: { app: db } }
  template:
    metadata: { labels: { app: db } }
    spec:
      terminationGracePeriodSeconds: 0
      nodeSelector: { kubernetes.io/os: linux }
      containers:
        - { name: db, image: db, volumeMounts: [{ name: data, mountPath: /data }] }
  volumeClaimTemplates:
    - metadata: { name: data }
      spec:
        accessModes: [ReadWriteOnce]
        resources: { requests: { storage: 1Gi } }
`;

const pod = (name: string, spec: string): string => `
apiVersion: v1
kind: Pod
metadata: { name: ${name} }
spec:
  containers: [{ name: c, image: i, resources: { limits: { example.com/gpu: 1 } } }]
  ${spec}
`;

test(
  "volumes follow the pods of a StatefulSet; profiles and simulated nodes come from files",
  { skip: missing("clients"), timeout: 120_000 },
  async () => {
    using folder = temporaryFolder("scheduling");
    const files = { nodes: join(folder.path, "nodes.yaml"), profiles: join(folder.path, "p.yaml") };
    writeFileSync(files.nodes, nodesFile);
    writeFileSync(files.profiles, profiles);
    await using kogge = koggeFor(join(folder.path, "data"));
    const simulated = ["--runtime", "simulated", "--simulated-nodes", files.nodes];
    const { kubeconfig } = await kogge.up([...simulated, "--scheduler-config", files.profiles]);
    const kubectl = kubectlFor(kubeconfig);
    await kubectl("apply -f -", { input: database });
    await kubectl("rollout status statefulset/db --timeout=60s");
    const places = async (): Promise<string> =>
      kubectl([
        "get",
        "pods",
        "-l",
        "app=db",
        "-o",
        'jsonpath={range .items[*]}{.metadata.name} {.spec.nodeName}{"\\n"}{end}',
      ]);
    const before = await places();
    deepEqual(
      (await kubectl("get pvc -o jsonpath={.items[*].status.phase}")).trim(),
      "Bound Bound Bound",
    );
    await kubectl("delete pod db-1 db-2");
    await kubectl("wait --for=jsonpath={.status.readyReplicas}=3 statefulset/db --timeout=60s");
    deepEqual(await places(), before);

    await kubectl("apply -f -", { input: pod("tidy", "") });
    await kubectl("apply -f -", { input: pod("bold", "schedulerName: careless") });
    await kubectl("wait --for=condition=Ready pod/bold --timeout=60s");
    deepEqual(await kubectl("get pod bold -o jsonpath={.spec.nodeName}"), "gpu-1");
    await kubectl("wait --for=condition=PodScheduled=false pod/tidy --timeout=60s");
    match(
      await kubectl("describe pod tidy"),
      /FailedScheduling .* 0\/5 nodes are available: 1 node\(s\) had untolerated taint\(s\), 4 Insufficient example\.com\/gpu\./,
    );
    const windows = pod("pane", "os: { name: windows }").replace("example.com/gpu: 1", "cpu: 1");
    await kubectl("apply -f -", { input: windows });
    await kubectl("wait --for=condition=PodScheduled pod/pane --timeout=60s");
    deepEqual(await kubectl("get pod pane -o jsonpath={.spec.nodeName}"), "win-1");
  },
);
