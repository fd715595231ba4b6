import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { once } from "node:events";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { helmFor, kubectlBinary, kubectlFor, kubectlVersions, run } from "#test/clients.ts";
import { koggeFor, machineTraces, start, writeBusyboxBuild } from "#test/kogge-command.ts";
import { missing } from "#test/needs.ts";
import { temporaryFolder } from "#test/temporary.ts";

// Real containers, from `kogge up` to `kogge down`, with a real kubectl.
const skip = missing("root", "containerd", "cni", "nft", "buildah", "busybox", "clients");
const image = "localhost/kogge-test/busybox:1";

test(
  "a cluster with real containers, from up to down",
  { skip, timeout: 600_000 },
  async (context) => {
    using folder = temporaryFolder("containerd");
    const dataDir = join(folder.path, "data");
    const before = machineTraces([dataDir]);
    await using kogge = koggeFor(dataDir);
    const ready = await kogge.up(["--runtime", "containerd"]);
    const kubectl = kubectlFor(ready.kubeconfig);
    writeBusyboxBuild(join(folder.path, "busybox"));
    await kogge(["image", "build", join(folder.path, "busybox"), "-t", image]);
    match(await kogge("image list"), /localhost\/kogge-test\/busybox:1/);

    await context.test("run, logs, exec with and without a terminal, cp, attach", async () => {
      await kubectl([
        "run",
        "shell",
        `--image=${image}`,
        "--",
        "sh",
        "-c",
        "i=0; while true; do echo line $i; i=$((i+1)); sleep 0.2; done",
      ]);
      await kubectl("wait --for=condition=Ready pod/shell --timeout=60s");
      match(await kubectl("get pod shell -o wide"), /1\/1 +Running +0 .*10\.\d+\.0\.\d+/);
      match(
        await kubectl("logs shell --tail=1 --timestamps"),
        /^\d{4}-\d\d-\d\dT[\d:.]+Z line \d+\n$/,
      );
      for (const version of kubectlVersions) {
        await useStreams(kubectlFor(ready.kubeconfig, version), folder.path);
      }
      const spdy = { KUBECTL_REMOTE_COMMAND_WEBSOCKETS: "false" };
      const echoed = await kubectl(["exec", "-i", "shell", "--", "cat"], {
        input: "spdy\n",
        env: spdy,
      });
      equal(echoed, "spdy\n");
      match(
        await kubectl("describe pod shell"),
        /Container image "localhost\/kogge-test\/busybox:1" already present on machine/,
      );
    });

    await context.test(
      "images come from docker and OCI archives, gzipped or not, and go again",
      async () => {
        const storage = join(dataDir, "buildah");
        const buildah = ["--root", join(storage, "root"), "--runroot", join(storage, "run")];
        for (const format of ["docker", "oci"]) {
          const file = join(folder.path, `${format}.tar`);
          const name = `localhost/kogge-test/${format}:1`;
          await succeed("buildah", [
            ...buildah,
            "push",
            "-q",
            image,
            `${format}-archive:${file}:${name}`,
          ]);
          ok((await kogge(["image", "import", file])).split("\n").includes(name));
          match(await kogge("image list"), new RegExp(name));
          await kogge(["image", "remove", name]);
          await succeed("gzip", [file]);
          ok((await kogge(["image", "import", `${file}.gz`])).split("\n").includes(name));
        }
        const broken = join(folder.path, "broken.tar");
        writeFileSync(broken, "not an archive");
        const refused = await kogge.try(["image", "import", broken]);
        equal(refused.code, 1);
        match(refused.stderr, /kogge: Cannot import/);
        const absent = await kogge.try(["image", "remove", "localhost/kogge-test/none:1"]);
        match(
          absent.stderr,
          /Cannot remove "localhost\/kogge-test\/none:1": the node has no such image/,
        );
      },
    );

    await context.test("volumes, environment and the service account's token", async () => {
      await kubectl("create configmap settings --from-literal=colour=blue");
      await kubectl("create secret generic keys --from-literal=key=s3cret");
      await kubectl(["apply", "-f", "-"], { input: volumesPod });
      await kubectl("wait --for=condition=Ready pod/volumes --timeout=60s");
      const shell = (text: string): Promise<string> =>
        kubectl(["exec", "volumes", "--", "sh", "-c", text]);
      equal(
        await shell("cat /config/colour /secret/key; echo $COLOUR $NODE"),
        `blues3cretblue ${(await kubectl("get nodes -o jsonpath={.items[0].metadata.name}")).trim()}\n`,
      );
      match(await shell("cat /downward/labels"), /app="volumes"/);
      equal(await shell("stat -L -c %a /secret/key; stat -c %a /scratch"), "400\n777\n");
      match(
        await shell("cat /var/run/secrets/kubernetes.io/serviceaccount/token"),
        /^ey[\w-]+\.[\w-]+\.[\w-]+$/,
      );
      equal(await shell("cat /var/run/secrets/kubernetes.io/serviceaccount/namespace"), "default");
      await kubectl(["patch", "configmap", "settings", "-p", '{"data":{"colour":"green"}}']);
      await eventually(async () => (await shell("cat /config/colour")) === "green");
    });

    await context.test(
      "pods find each other by name; services work from pods and from the machine",
      async () => {
        await kubectl(["apply", "-f", "-"], { input: webDeployment });
        await kubectl("rollout status deployment/web --timeout=60s");
        const clusterIp = await kubectl("get service web -o jsonpath={.spec.clusterIP}");
        const lookUp = async (name: string): Promise<string | undefined> =>
          (await kubectl(["exec", "shell", "--", "getent", "hosts", name])).split(/\s/)[0];
        equal(await lookUp("web.default.svc.cluster.local"), clusterIp);
        equal(await lookUp("web"), clusterIp);
        match((await lookUp("kubernetes.default")) ?? "", /^10\.\d+\.0\.1$/);
        const page = (host: string): Promise<string> =>
          kubectl([
            "exec",
            "shell",
            "--",
            "bash",
            "-c",
            `exec 3<>/dev/tcp/${host}/80; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3`,
          ]);
        const answers = new Set<string>();
        for (let index = 0; index < 20; index += 1) {
          answers.add(
            (await page("web.default.svc.cluster.local")).trim().split("\n").at(-1) ?? "",
          );
        }
        equal(answers.size, 2, `both pods answered: ${[...answers].join(", ")}`);
        match(await (await fetch(`http://${clusterIp}`)).text(), /^web-/);
        const nodePort = await kubectl("get service web -o jsonpath={.spec.ports[0].nodePort}");
        const address = await kubectl(
          "get nodes -o jsonpath={.items[0].status.addresses[0].address}",
        );
        match(await (await fetch(`http://${address}:${nodePort}`)).text(), /^web-/);
      },
    );

    await context.test("port-forward carries a connection to a pod", async () => {
      for (const version of kubectlVersions) {
        for (const websockets of ["true", "false"]) {
          const words = ["port-forward", "deployment/web", ":8080"];
          const forwarding = start(kubectlBinary(version), words, {
            ...kubectl.env,
            KUBECTL_PORT_FORWARD_WEBSOCKETS: websockets,
          });
          const port = (): string | undefined =>
            /127\.0\.0\.1:(\d+)/.exec(forwarding.output.text)?.[1];
          while (port() === undefined) await output(forwarding.child);
          match(await (await fetch(`http://127.0.0.1:${port()}`)).text(), /^web-/);
          forwarding.child.kill();
          await once(forwarding.child, "close");
        }
      }
    });

    await context.test("a container whose process is killed comes back", async () => {
      const id = await kubectl(
        "get pod shell -o jsonpath={.status.containerStatuses[0].containerID}",
      );
      process.kill(processOf(dataDir, id), "SIGKILL");
      await kubectl([
        "wait",
        "--for=jsonpath={.status.containerStatuses[0].restartCount}=1",
        "pod/shell",
        "--timeout=60s",
      ]);
      await kubectl("wait --for=condition=Ready pod/shell --timeout=60s");
      equal(
        await kubectl(
          "get pod shell -o jsonpath={.status.containerStatuses[0].lastState.terminated.exitCode}",
        ),
        "137",
      );
      match(await kubectl("logs shell --previous --tail=1"), /line \d+/);
    });

    await context.test("the server killed and started again keeps its pods running", async () => {
      const wanted =
        "-o jsonpath={.status.containerStatuses[0].containerID}/{.status.containerStatuses[0].restartCount}";
      const id = await kubectl(`get pod volumes ${wanted}`);
      const inside = processOf(dataDir, id.split("/")[2] ?? "");
      process.kill(ready.pid, "SIGKILL");
      await eventually(async () => (await kogge.try(["status"])).code === 3);
      const again = await kogge.up();
      notEqual(again.pid, ready.pid);
      await kubectl("wait --for=condition=Ready pod/volumes --timeout=60s");
      equal(await kubectl(`get pod volumes ${wanted}`), id);
      equal(processOf(dataDir, id.split("/")[2] ?? ""), inside);
      equal(await kubectl("exec volumes -- echo alive"), "alive\n");
    });

    await context.test("helm installs its starter chart with an image built here", async () => {
      const build = join(folder.path, "chart-web");
      writeBusyboxBuild(build, ['CMD ["/bin/httpd", "-f", "-p", "80", "-h", "/etc"]']);
      await kogge(["image", "build", build, "-t", "localhost/kogge-test/web:1"]);
      const helm = helmFor(ready.kubeconfig);
      const chart = join(folder.path, "demo");
      await helm(["create", chart]);
      const values = [
        "--set",
        "image.repository=localhost/kogge-test/web,image.tag=1",
        "--set",
        "livenessProbe.httpGet.path=/hostname",
        "--set",
        "readinessProbe.httpGet.path=/hostname",
      ];
      match(
        await helm(["install", "demo", chart, ...values, "--wait", "--timeout", "60s"]),
        /STATUS: deployed/,
      );
      await helm([
        "upgrade",
        "demo",
        chart,
        ...values,
        "--set",
        "replicaCount=2",
        "--wait",
        "--timeout",
        "60s",
      ]);
      match(await kubectl("get deployment demo"), /2\/2/);
      await helm(["rollback", "demo", "1", "--wait", "--timeout", "60s"]);
      await helm(["uninstall", "demo", "--wait", "--timeout", "60s"]);
    });

    await context.test(
      "delete waits for the grace period and leaves nothing of the pod",
      async () => {
        match(await kubectl("delete pod shell --grace-period=1 --wait --timeout=60s"), /deleted/);
        await kubectl("delete deployment web --cascade=foreground --timeout=60s");
        equal(await kubectl("get pods -l app=web -o name"), "");
      },
    );

    await context.test("a second cluster lives beside the first", async () => {
      const otherDir = join(folder.path, "other");
      await using other = koggeFor(otherDir);
      const second = await other.up(["--runtime", "containerd"]);
      notEqual(second.server, ready.server);
      await other(["image", "build", join(folder.path, "busybox"), "-t", image]);
      const there = kubectlFor(second.kubeconfig);
      await there(["run", "lone", `--image=${image}`, "--", "sleep", "1000"]);
      await there("wait --for=condition=Ready pod/lone --timeout=60s");
      equal((await kubectl.try(["get", "pod", "lone"])).code, 1);
      match(
        await there(["exec", "lone", "--", "getent", "hosts", "kubernetes.default"]),
        /10\.\d+\.0\.1/,
      );
      await other("down");
      equal(await kubectl("exec volumes -- echo alive"), "alive\n");
    });

    await context.test(
      "down leaves no process, mount, interface, table or cgroup; up brings the cluster back",
      async () => {
        await kogge("down");
        deepEqual(
          machineTraces([dataDir]).filter((trace) => !before.includes(trace)),
          [],
        );
        await kogge.up();
        await kubectl("wait --for=condition=Ready pod/volumes --timeout=60s");
        ok((await kubectl("get configmap settings -o name")).includes("settings"));
        await kogge("down");
        deepEqual(
          machineTraces([dataDir]).filter((trace) => !before.includes(trace)),
          [],
        );
      },
    );
  },
);

/** Logs, exec with and without a terminal, copies and attaching, all on the pod `shell`. */
async function useStreams(kubectl: ReturnType<typeof kubectlFor>, folder: string): Promise<void> {
  const following = start(kubectl.binary, ["logs", "-f", "--tail=1", "shell"], kubectl.env);
  const lines = (): number => following.output.text.split("\n").length;
  while (lines() < 4) await output(following.child);
  following.child.kill();
  equal(await kubectl(["exec", "shell", "--", "sh", "-c", "echo $HOSTNAME"]), "shell\n");
  const failing = await kubectl.try(["exec", "shell", "--", "sh", "-c", "exit 7"]);
  equal(failing.code, 7);
  const echoed = await kubectl(["exec", "-i", "shell", "--", "cat"], { input: "through\n" });
  equal(echoed, "through\n");
  const inside = `${kubectl.binary} exec -it shell -- sh -c 'tty; stty size; echo done'`;
  const terminal = start("script", ["-qec", inside, "/dev/null"], kubectl.env);
  await once(terminal.child, "close");
  match(terminal.output.text, /\/dev\/pts\/\d[\s\S]*done/);
  writeFileSync(join(folder, "sent"), "x".repeat(300_000));
  await kubectl(["cp", join(folder, "sent"), "shell:/tmp/sent"]);
  await kubectl(["cp", "shell:/tmp/sent", join(folder, "received")]);
  equal(readFileSync(join(folder, "received"), "utf8").length, 300_000);
  const attached = start(kubectl.binary, ["attach", "shell"], kubectl.env);
  while (!/line \d+/.test(attached.output.text)) await output(attached.child);
  attached.child.kill();
}

/** Waits for more output, but not for ever. */
async function output(child: ReturnType<typeof start>["child"]): Promise<void> {
  await once(child.stdout, "data", { signal: AbortSignal.timeout(30_000) });
}

async function succeed(program: string, words: readonly string[]): Promise<void> {
  const outcome = await run(program, words);
  equal(outcome.code, 0, outcome.stderr);
}

/** The first process of a container, as the cluster's containerd knows it. */
function processOf(dataDir: string, containerId: string): number {
  const id = containerId.replace("containerd://", "");
  const socket = join(dataDir, "containerd/containerd.sock");
  const words = ["--address", socket, "--namespace", "k8s.io", "tasks", "list"];
  const tasks = spawnSync("ctr", words, { encoding: "utf8" }).stdout.split("\n");
  const [, pid] = tasks.find((line) => line.startsWith(id))?.split(/\s+/) ?? [];
  ok(pid, `containerd runs ${id}`);
  return Number(pid);
}

const volumesPod = `
apiVersion: v1
kind: Pod
metadata: { name: volumes, labels: { app: volumes } }
spec:
  terminationGracePeriodSeconds: 1
  containers:
    - name: main
      image: ${image}
      command: [sleep, "100000"]
      env:
        - { name: COLOUR, valueFrom: { configMapKeyRef: { name: settings, key: colour } } }
        - { name: NODE, valueFrom: { fieldRef: { fieldPath: spec.nodeName } } }
      volumeMounts:
        - { name: config, mountPath: /config }
        - { name: secret, mountPath: /secret }
        - { name: downward, mountPath: /downward }
        - { name: scratch, mountPath: /scratch }
  volumes:
    - { name: config, configMap: { name: settings } }
    - { name: secret, secret: { secretName: keys, defaultMode: 0400 } }
    - { name: downward, downwardAPI: { items: [{ path: labels, fieldRef: { fieldPath: metadata.labels } }] } }
    - { name: scratch, emptyDir: {} }
`;

const webDeployment = `
apiVersion: apps/v1
kind: Deployment
metadata: { name: web }
spec:
  replicas: 2
  selector: { matchLabels: { app: web } }
  template:
    metadata: { labels: { app: web } }
    spec:
      terminationGracePeriodSeconds: 1
      containers:
        - name: main
          image: ${image}
          command: [sh, -c, "mkdir -p /www && hostname > /www/index.html && exec httpd -f -p 8080 -h /www"]
          ports: [{ name: http, containerPort: 8080 }]
          readinessProbe: { httpGet: { path: /, port: http }, periodSeconds: 1 }
---
apiVersion: v1
kind: Service
metadata: { name: web }
spec:
  type: NodePort
  selector: { app: web }
  ports: [{ port: 80, targetPort: http }]
`;

/** Asks again, each time after the answer to the last came, until `holds` or a minute is over. */
async function eventually(holds: () => Promise<boolean>): Promise<void> {
  const untilMs = Date.now() + 90_000;
  while (!(await holds())) ok(Date.now() < untilMs, "it did not come to hold within 90 s");
}
