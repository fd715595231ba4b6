import { deepEqual, equal, match, notEqual } from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { kubectlFor } from "#test/clients.ts";
import { eventually, startKogge } from "#test/joined-node.ts";
import { freePort, koggeFor, machineTraces, writeBusyboxBuild } from "#test/kogge-command.ts";
import { missing } from "#test/needs.ts";
import { temporaryFolder } from "#test/temporary.ts";

const skip = missing("root", "containerd", "cni", "nft", "buildah", "busybox", "clients");
const image = "localhost/kogge-test/joined:1";

/** A bridge with two machines plugged in, played by network namespaces. */
function machines(): { readonly server: string; enter(node: string): string[] } & Disposable {
  const id = process.pid % 10_000;
  const bridge = `kjb${id}`;
  const nodes = ["a", "b"];
  const space = (node: string): string => `kj${id}${node}`;
  const ip = (words: string): void => {
    const { status, stderr } = spawnSync("ip", words.split(" "), { encoding: "utf8" });
    equal(status, 0, `ip ${words}: ${stderr}`);
  };
  ip(`link add ${bridge} type bridge`);
  ip(`address add 198.18.99.1/24 dev ${bridge}`);
  ip(`link set ${bridge} up`);
  for (const [index, node] of nodes.entries()) {
    ip(`netns add ${space(node)}`);
    ip(`link add v${space(node)} type veth peer name eth0 netns ${space(node)}`);
    ip(`link set v${space(node)} master ${bridge} up`);
    ip(`-n ${space(node)} address add 198.18.99.${index + 2}/24 dev eth0`);
    ip(`-n ${space(node)} link set eth0 up`);
    ip(`-n ${space(node)} link set lo up`);
    ip(`-n ${space(node)} route add default via 198.18.99.1`);
  }
  return {
    server: "198.18.99.1",
    enter: (node) => ["nsenter", `--net=/run/netns/${space(node)}`],
    [Symbol.dispose]() {
      for (const node of nodes) ip(`netns delete ${space(node)}`);
      ip(`link delete ${bridge}`);
    },
  };
}

const pod = (name: string, node: string): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name, labels: { app: name } },
    spec: {
      nodeName: node,
      terminationGracePeriodSeconds: 0,
      containers: [
        {
          name: "main",
          image,
          command: ["sh", "-c", `echo "from ${name}" > /tmp/index.html; httpd -f -p 80 -h /tmp`],
        },
      ],
    },
  });

test(
  "two machines join with real containers: an image gets from one to the other, their pods reach each other, services and names",
  { skip },
  async () => {
    using folder = temporaryFolder("joined-containerd");
    using network = machines();
    const at = (name: string): string => join(folder.path, name);
    const port = String(await freePort());
    const url = `https://${network.server}:${port}`;
    await using server = startKogge([
      "server",
      "--data-dir",
      at("server"),
      "--port",
      port,
      "--host",
      "0.0.0.0",
      "--advertise-address",
      network.server,
    ]);
    await server.said(/Serving at/);
    const kubectl = kubectlFor(at("server/kubeconfig"));
    const token = (await koggeFor(at("server"))("token create")).trim();
    const agent = (name: string) =>
      startKogge(
        [
          "agent",
          "--server",
          url,
          "--token",
          token,
          "--runtime",
          "containerd",
          "--node-name",
          name,
          "--data-dir",
          at(name),
        ],
        network.enter(name),
      );
    {
      await using a = agent("a");
      await using b = agent("b");
      await Promise.all([a.said(/runs for/), b.said(/runs for/)]);
      writeBusyboxBuild(at("image"));
      await koggeFor(at("a"))(["image", "build", at("image"), "-t", image]);
      const imagesOf = (node: string): Promise<string> =>
        kubectl(`get node ${node} -o jsonpath={.status.images}`);
      await eventually(async () => (await imagesOf("a")).includes(image), "the image on a");
      for (const name of ["a", "b"]) {
        await kubectl(["create", "-f", "-"], { input: pod(`on-${name}`, name) });
      }
      await kubectl("expose pod on-b --port=80");
      await kubectl("wait --for=condition=Ready pod/on-a pod/on-b --timeout=60s");
      match(
        await kubectl("events --for pod/on-b"),
        /Successfully pulled image .* from node "a" in /,
      );
      const ip = await kubectl("get pod on-b -o jsonpath={.status.podIP}");
      const fetched = async (host: string): Promise<boolean> => {
        const script = `exec 3<>/dev/tcp/${host}/80; printf 'GET / HTTP/1.0\\r\\n\\r\\n' >&3; cat <&3`;
        const { stdout } = await kubectl.try(["exec", "on-a", "--", "bash", "-c", script]);
        return stdout.endsWith("from on-b\n");
      };
      await eventually(() => fetched(ip), "a pod of the other machine");
      await eventually(() => fetched("on-b"), "a service by its name");
      match(await kubectl("exec on-a -- cat /etc/resolv.conf"), /nameserver 10\.96\.0\.10/);
      match(await kubectl("get nodes -o wide"), /198\.18\.99\.3 .* containerd/);

      // The cable is pulled and plugged in again.
      const cut = (state: "down" | "up"): void => {
        const [, space = ""] = (network.enter("b")[1] ?? "").split("/run/netns/");
        spawnSync("ip", ["link", "set", `v${space}`, state]);
      };
      cut("down");
      const lost = await kubectl.try(["exec", "on-b", "--", "true"], { timeoutMs: 3000 });
      notEqual(lost.code, 0);
      cut("up");
      await eventually(
        async () => (await kubectl.try("exec on-b -- echo back".split(" "))).stdout === "back\n",
        "the node that was cut off",
      );
      equal(await a.end("SIGINT"), 0);
      equal(await b.end("SIGINT"), 0);
    }
    const own = ["a", "b"].map((name) => {
      const { id } = JSON.parse(readFileSync(join(at(name), "cluster.json"), "utf8")) as {
        id: string;
      };
      return id.slice(0, 8);
    });
    const needles = [at("a"), at("b"), ...own];
    const left = machineTraces(needles).filter((trace) =>
      needles.some((needle) => trace.includes(needle)),
    );
    deepEqual(left, []);
  },
);
