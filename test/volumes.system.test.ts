import { deepEqual, equal, match } from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { kubectlFor } from "#test/clients.ts";
import { koggeFor, writeBusyboxBuild } from "#test/kogge-command.ts";
import { missing } from "#test/needs.ts";
import { temporaryFolder } from "#test/temporary.ts";

// A node with its own rights, from the claim to the directory, with a real kubectl.
const skip = missing("root", "containerd", "cni", "nft", "buildah", "busybox", "clients");
const image = "localhost/kogge-test/busybox:1";

const manifest = (path: string): string => `
apiVersion: storage.k8s.io/v1
kind: StorageClass
metadata: { name: here }
provisioner: kogge.dev/local-path
parameters: { path: ${path} }
volumeBindingMode: WaitForFirstConsumer
---
apiVersion: apps/v1
kind: StatefulSet
metadata: { name: db }
spec:
  serviceName: db
  selector: { matchLabels: { app: db } }
  template:
    metadata: { labels: { app: db } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: db
          image: ${image}
          command: [sh, -c, "echo started >> /data/starts; exec sleep 1000"]
          volumeMounts: [{ name: data, mountPath: /data }]
  volumeClaimTemplates:
    - metadata: { name: data }
      spec:
        storageClassName: here
        accessModes: [ReadWriteOnce]
        resources: { requests: { storage: 1Gi } }
---
apiVersion: v1
kind: Pod
metadata: { name: user }
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: ${image}
      command: [sleep, "1000"]
      resources: { limits: { example.com/thing: 1 } }
`;

test("claims and devices on a real node", { skip, timeout: 400_000 }, async () => {
  using folder = temporaryFolder("volumes");
  const dataDir = join(folder.path, "data");
  await using kogge = koggeFor(dataDir);
  const ready = await kogge.up(["--runtime", "containerd"]);
  const kubectl = kubectlFor(ready.kubeconfig);
  writeBusyboxBuild(join(folder.path, "busybox"));
  await kogge(["image", "build", join(folder.path, "busybox"), "-t", image]);
  const volumes = join(folder.path, "volumes");
  mkdirSync(volumes);
  const file = join(folder.path, "manifest.yaml");
  writeFileSync(file, manifest(volumes));
  await kubectl(["apply", "-f", file]);
  await kubectl("rollout status statefulset/db --timeout=60s");
  await kubectl("delete pod db-0");
  await kubectl("rollout status statefulset/db --timeout=60s");
  await kubectl("wait --for=condition=Ready pod/db-0 --timeout=60s");
  const [directory = ""] = readdirSync(volumes);
  match(directory, /^pvc-.*_default_data-db-0$/);
  equal(readFileSync(join(volumes, directory, "starts"), "utf8"), "started\nstarted\n");

  match(await kubectl("get pod user"), /Pending/);
  const [nodeName = ""] = readdirSync(join(dataDir, "nodes"));
  const program = new URL("../examples/device-plugin/plugin.ts", import.meta.url).pathname;
  const where = join(dataDir, "nodes", nodeName, "device-plugins");
  const plugin = spawn(process.execPath, [program, "--directory", where], { stdio: "ignore" });
  try {
    await kubectl("wait --for=condition=Ready pod/user --timeout=60s");
    match(await kubectl("exec user -- ls /dev"), /^thing-\d$/m);
    match(await kubectl(`describe node ${nodeName}`), /example\.com\/thing +1 +1/);
  } finally {
    if (plugin.kill()) await once(plugin, "exit");
  }

  await kubectl("delete statefulset/db pod/user");
  await kubectl("wait --for=delete pod/db-0 --timeout=60s");
  await kubectl("delete pvc data-db-0");
  const volume = directory.split("_")[0] ?? "";
  await kubectl(`wait --for=delete pv/${volume} --timeout=60s`);
  await kogge("down");
  deepEqual(readdirSync(volumes), []);
});
