import { deepEqual, equal, match, ok } from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { createCluster } from "#main/testing.ts";
import { kubectlFor, kubectlVersions } from "#test/clients.ts";
import { missing } from "#test/needs.ts";
import { temporaryFolder } from "#test/temporary.ts";

// What a user does with kubectl, on a cluster in memory with simulated nodes.
const manifest = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web, labels: { app: web } }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      containers:
        - { name: main, image: web:1, ports: [{ name: http, containerPort: 8080 }] }
`;

for (const version of kubectlVersions) {
  test(
    `kubectl 1.${version} works through a day's commands`,
    { skip: missing("clients") },
    async (context) => {
      using folder = temporaryFolder("kubectl");
      await using cluster = await createCluster({ nodes: 2 });
      const kubeconfig = join(folder.path, "kubeconfig");
      cluster.writeKubeconfig(kubeconfig);
      const kubectl = kubectlFor(kubeconfig, version);
      const file = join(folder.path, "web.yaml");
      writeFileSync(file, manifest);

      await context.test(
        "discovery: version, cluster-info, api-resources, api-versions, explain",
        async () => {
          match(await kubectl("version"), /Server Version: v1\.36\./);
          match(await kubectl("cluster-info"), /control plane.* is running at/);
          const resources = await kubectl("api-resources -o name");
          deepEqual(
            ["pods", "deployments.apps", "leases.coordination.k8s.io"].filter(
              (name) => !resources.split("\n").includes(name),
            ),
            [],
          );
          const versions = (await kubectl("api-versions")).trim().split("\n");
          deepEqual(
            ["apps/v1", "batch/v1", "v1"].filter((name) => !versions.includes(name)),
            [],
          );
          match(
            await kubectl("explain deployment.spec.strategy"),
            /FIELD: strategy <DeploymentStrategy>/,
          );
          match(await kubectl("get nodes"), /node-1 +Ready +<none>/);
        },
      );

      await context.test("apply: client side, server side, diff and dry run", async () => {
        match(await kubectl(["apply", "-f", file]), /deployment.apps\/web created/);
        match(await kubectl(["apply", "-f", file]), /deployment.apps\/web unchanged/);
        await kubectl("rollout status deployment/web --timeout=30s");
        const same = await kubectl.try(["diff", "-f", file]);
        equal(same.code, 0, same.stdout + same.stderr);
        writeFileSync(file, manifest.replace("web:1", "web:2"));
        const changed = await kubectl.try(["diff", "-f", file]);
        equal(changed.code, 1);
        match(changed.stdout, /-\s+- image: web:1\n\+\s+- image: web:2/);
        match(
          await kubectl([
            "apply",
            "--server-side",
            "--dry-run=server",
            "--force-conflicts",
            "-f",
            file,
          ]),
          /serverside-applied \(server dry run\)/,
        );
        equal(
          await kubectl("get deployment web -o jsonpath={.spec.template.spec.containers[0].image}"),
          "web:1",
        );
        match(
          await kubectl(["apply", "--server-side", "--force-conflicts", "-f", file]),
          /serverside-applied/,
        );
        await kubectl("rollout status deployment/web --timeout=30s");
        equal(
          await kubectl("get deployment web -o jsonpath={.spec.template.spec.containers[0].image}"),
          "web:2",
        );
      });

      await context.test("rollouts: scale, history, undo, restart, pause", async () => {
        await kubectl("scale deployment web --replicas=4");
        await kubectl("rollout status deployment/web --timeout=30s");
        match(await kubectl("get deployment web"), /web +4\/4 +4 +4/);
        match(await kubectl("rollout history deployment/web"), /1 +<none>\n2 +<none>/);
        await kubectl("rollout undo deployment/web");
        await kubectl("rollout status deployment/web --timeout=30s");
        equal(
          await kubectl("get deployment web -o jsonpath={.spec.template.spec.containers[0].image}"),
          "web:1",
        );
        await kubectl("rollout restart deployment/web");
        await kubectl("rollout status deployment/web --timeout=30s");
        await kubectl("rollout pause deployment/web");
        await kubectl("set image deployment/web main=web:3");
        match(
          await kubectl(
            "get deployment web -o jsonpath={.status.conditions[?(@.type=='Progressing')].reason}",
          ),
          /DeploymentPaused/,
        );
        await kubectl("rollout resume deployment/web");
        await kubectl("rollout status deployment/web --timeout=30s");
      });

      await context.test("services: expose, endpoints follow readiness", async () => {
        await kubectl("expose deployment web --port=80 --target-port=http");
        await kubectl([
          "wait",
          "--for=jsonpath={.endpoints[3].conditions.ready}=true",
          "endpointslice",
          "-l",
          "kubernetes.io/service-name=web",
          "--timeout=30s",
        ]);
        match(
          await kubectl("get service web"),
          /web +ClusterIP +10\.96\.\d+\.\d+ +<none> +80\/TCP/,
        );
        match(await kubectl("describe service web"), /TargetPort: +http\/TCP/);
      });

      await context.test(
        "objects: label, annotate, patch, create, edit, replace, describe, events",
        async () => {
          await kubectl("label deployment web tier=front");
          await kubectl("annotate deployment web note=hello");
          match(await kubectl("get deployments -l tier=front"), /web/);
          await kubectl([
            "patch",
            "deployment",
            "web",
            "--type=json",
            "-p",
            '[{"op":"remove","path":"/metadata/annotations/note"}]',
          ]);
          await kubectl([
            "patch",
            "deployment",
            "web",
            "--type=merge",
            "-p",
            '{"metadata":{"labels":{"tier":"back"}}}',
          ]);
          await kubectl([
            "patch",
            "deployment",
            "web",
            "-p",
            '{"spec":{"template":{"spec":{"containers":[{"name":"main","env":[{"name":"A","value":"1"}]}]}}}}',
          ]);
          equal(
            await kubectl(
              "get deployment web -o jsonpath={.metadata.labels.tier}{.spec.template.spec.containers[0].env[0].name}",
            ),
            "backA",
          );
          await kubectl("create configmap settings --from-literal=a=1");
          await kubectl("create secret generic keys --from-literal=k=v");
          await kubectl("create namespace other");
          await kubectl("create serviceaccount robot");
          const editor = join(folder.path, "editor");
          writeFileSync(editor, `#!/bin/sh\nsed -i 's/a: "1"/a: changed/' "$1"\n`, { mode: 0o755 });
          const edit = await kubectl.try(["edit", "configmap", "settings"], {
            env: { KUBE_EDITOR: editor },
          });
          equal(edit.code, 0, edit.stderr);
          equal(await kubectl("get configmap settings -o jsonpath={.data.a}"), "changed");
          match(await kubectl("describe deployment web"), /NewReplicaSet: +web-/);
          match(await kubectl("events --for deployment/web"), /ScalingReplicaSet/);
          match(await kubectl("get secret keys -o yaml"), /k: dg==/);
          const token = (await kubectl("create token robot")).trim();
          const bearer = [
            "--server",
            cluster.server,
            "--insecure-skip-tls-verify",
            "--token",
            token,
          ];
          const who = await kubectl.try(["auth", "whoami", ...bearer], {
            env: { KUBECONFIG: "/dev/null" },
          });
          match(who.stdout, /Username +system:serviceaccount:default:robot/);
        },
      );

      await context.test("pods: run, logs, exec, wait, delete", async () => {
        await kubectl([
          "run",
          "once",
          "--image=busybox",
          "--restart=Never",
          "--annotations=simulated.kogge.dev/run-ms=10",
          "--",
          "true",
        ]);
        await kubectl([
          "wait",
          "--for=jsonpath={.status.phase}=Succeeded",
          "pod/once",
          "--timeout=30s",
        ]);
        await kubectl("run shell --image=busybox");
        await kubectl("wait --for=condition=Ready pod/shell --timeout=30s");
        equal(await kubectl("exec shell -- echo hello"), "hello\n");
        equal(await kubectl("exec shell -- hostname"), "shell\n");
        await kubectl("logs shell");
        match(await kubectl("describe pod shell"), /Successfully assigned default\/shell to node-/);
        match(await kubectl("delete pod shell --wait --grace-period=1"), /pod "shell" deleted/);
        const gone = await kubectl.try("get pod shell".split(" "));
        match(gone.stderr, /Error from server \(NotFound\): pods "shell" not found/);
      });

      await context.test("watch: get -w shows changes as they come", async () => {
        const watching = spawn(kubectl.binary, ["get", "configmaps", "-w", "-o", "name"], {
          env: { ...process.env, ...kubectl.env },
        });
        let seen = "";
        watching.stdout.on("data", (chunk: Buffer) => (seen += chunk.toString()));
        await until(watching.stdout, () => seen.includes("configmap/settings"));
        await kubectl("create configmap later");
        await until(watching.stdout, () => seen.includes("configmap/later"));
        watching.kill();
        await once(watching, "close");
      });

      await context.test("namespaces go with all that is in them", async () => {
        await kubectl("create deployment inner --image=x --namespace=other");
        await kubectl("rollout status deployment/inner --namespace=other --timeout=30s");
        await kubectl("delete namespace other --timeout=60s");
        const left = await kubectl("get all --namespace=other");
        equal(left, "");
      });

      await context.test("deletion: cascades, and orphans when asked", async () => {
        await kubectl("delete deployment web --cascade=foreground --wait --timeout=60s");
        equal(await kubectl("get replicasets,pods -l app=web -o name"), "");
        await kubectl("create deployment kept --image=x");
        await kubectl("rollout status deployment/kept --timeout=30s");
        await kubectl("delete deployment kept --cascade=orphan");
        ok(
          (await kubectl("get replicasets -l app=kept -o name")).startsWith(
            "replicaset.apps/kept-",
          ),
        );
        equal(
          await kubectl(
            "get replicasets -l app=kept -o jsonpath={.items[0].metadata.ownerReferences}",
          ),
          "",
        );
      });

      await context.test("top shows what nodes use", async () => {
        match(
          await kubectl("top nodes"),
          /^NAME +CPU\(cores\) +CPU\(%\) +MEMORY\(bytes\) +MEMORY\(%\)/,
        );
      });
    },
  );
}

/** Resolves once `holds` after some output. */
async function until(stream: NodeJS.ReadableStream, holds: () => boolean): Promise<void> {
  while (!holds()) await once(stream, "data", { signal: AbortSignal.timeout(20_000) });
}
