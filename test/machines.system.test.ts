import { deepEqual, equal } from "node:assert/strict";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { hostname } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { kubectlFor } from "#test/clients.ts";
import { freePort, koggeFor, machineTraces, writeBusyboxBuild } from "#test/kogge-command.ts";
import { eventually } from "#test/joined-node.ts";
import { missing } from "#test/needs.ts";
import { temporaryFolder } from "#test/temporary.ts";

const skip = missing("root", "containerd", "cni", "nft", "buildah", "busybox", "clients");
const image = "localhost/kogge-test/machines:1";

const web = JSON.stringify({
  apiVersion: "apps/v1",
  kind: "DaemonSet",
  metadata: { name: "web" },
  spec: {
    selector: { matchLabels: { app: "web" } },
    template: {
      metadata: { labels: { app: "web" } },
      spec: {
        terminationGracePeriodSeconds: 0,
        containers: [
          {
            name: "main",
            image,
            imagePullPolicy: "Never",
            command: ["sh", "-c", "hostname > /tmp/index.html; httpd -f -p 80 -h /tmp"],
          },
        ],
      },
    },
  },
});

test(
  "several real nodes on one machine: up, a daemon set, drain, crash, down",
  { skip },
  async () => {
    using folder = temporaryFolder("machines");
    const dataDir = join(folder.path, "data");
    let ids: readonly string[];
    {
      await using kogge = koggeFor(dataDir);
      const words = ["--nodes", "2", "--runtime", "containerd", "--port", String(await freePort())];
      const first = await kogge.up(words);
      const [own, second] = [hostname().toLowerCase(), `${hostname().toLowerCase()}-2`];
      const kubectl = kubectlFor(first.kubeconfig);
      const column = async (words: string): Promise<readonly string[]> =>
        (await kubectl(`${words} --no-headers -o custom-columns=:${columnOf(words)}`))
          .trim()
          .split(/\s+/)
          .toSorted();
      deepEqual(await column("get nodes"), [own, second]);
      ids = [dataDir, join(dataDir, "machines", second)].map((at) => idOf(at));

      writeBusyboxBuild(join(folder.path, "image"));
      await kogge(["image", "build", join(folder.path, "image"), "-t", image]);
      await kubectl(["create", "-f", "-"], { input: web });
      await kubectl("rollout status daemonset/web --timeout=90s");
      deepEqual(await column("get pods"), [own, second]);
      const pods = JSON.parse(await kubectl("get pods -o json")) as {
        items: { metadata: { name: string }; status: { podIP: string } }[];
      };
      for (const from of pods.items) {
        for (const to of pods.items) {
          const script = `exec 3<>/dev/tcp/${to.status.podIP}/80; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3`;
          await eventually(async () => {
            const { stdout } = await kubectl.try([
              "exec",
              from.metadata.name,
              "--",
              "bash",
              "-c",
              script,
            ]);
            return stdout.endsWith(`${to.metadata.name}\n`);
          }, `${to.metadata.name} from ${from.metadata.name}`);
        }
      }

      await kubectl(`drain ${second} --ignore-daemonsets --timeout=60s`);
      await kubectl(`uncordon ${second}`);

      const uids = (): Promise<string> =>
        kubectl(
          "get pods -o custom-columns=:metadata.uid,:status.containerStatuses[0].containerID",
        );
      const before = await uids();
      process.kill(first.pid, "SIGKILL");
      await kogge.up();
      await kubectl("rollout status daemonset/web --timeout=60s");
      equal(await uids(), before);
      await kogge("down");
      await kogge.up();
      await kogge("down");
    }
    const digits = ids.map((id) => createHash("sha256").update(id).digest("hex").slice(0, 8));
    const needles = [dataDir, ...ids.map((id) => id.slice(0, 8)), ...digits];
    const left = machineTraces(needles).filter((trace) =>
      needles.some((needle) => trace.includes(needle)),
    );
    deepEqual(left, []);
  },
);

const columnOf = (words: string): string =>
  words === "get nodes" ? "metadata.name" : "spec.nodeName";

/** What a node's interfaces, tables and control groups are named after. */
function idOf(directory: string): string {
  const file = join(directory, "cluster.json");
  return (JSON.parse(readFileSync(file, "utf8")) as { id: string }).id;
}
