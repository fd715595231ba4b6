import { equal, match } from "node:assert/strict";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { request, type RequestOptions } from "node:https";
import type { IncomingMessage } from "node:http";
import { hostname } from "node:os";
import { join } from "node:path";
import { text } from "node:stream/consumers";
import { test } from "node:test";
import { importImageArchive } from "#agent/images/import-archive.ts";
import { kubectlFor } from "#test/clients.ts";
import { eventually } from "#test/joined-node.ts";
import { freePort, koggeFor } from "#test/kogge-command.ts";
import { missing } from "#test/needs.ts";
import { startPrivateRegistry } from "#test/private-registry.ts";
import { busyboxArchive } from "#test/real-node.ts";
import { temporaryFolder } from "#test/temporary.ts";

const skip = missing("root", "containerd", "cni", "nft", "busybox", "clients");

const podOn = (name: string, nodeName: string, container: object, more: object = {}): string =>
  JSON.stringify({
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name },
    spec: {
      nodeName,
      terminationGracePeriodSeconds: 0,
      containers: [{ name: "main", command: ["sleep", "1000"], ...container }],
      ...more,
    },
  });

test(
  "an image of one node starts on another, offline, and a private one only with its secret",
  { skip },
  async () => {
    using folder = temporaryFolder("images-between");
    const dataDir = join(folder.path, "data");
    const [first, second] = [hostname().toLowerCase(), `${hostname().toLowerCase()}-2`];
    await using kogge = koggeFor(dataDir);
    const port = String(await freePort());
    const { kubeconfig } = await kogge.up([
      "--nodes",
      "2",
      "--runtime",
      "containerd",
      "--port",
      port,
    ]);
    const kubectl = kubectlFor(kubeconfig);
    const eventsOf = (pod: string): Promise<string> =>
      kubectl(`events --for pod/${pod} -o jsonpath={range.items[*]}{.message}{"\\n"}{end}`);
    const says = (pod: string, wanted: RegExp): Promise<void> =>
      eventually(async () => wanted.test(await eventsOf(pod)), `${pod}: ${wanted}`);
    const create = (pod: string): Promise<string> => kubectl(["create", "-f", "-"], { input: pod });
    const isListed = (node: string, image: string): Promise<void> =>
      eventually(
        async () =>
          (await kubectl(`get node ${node} -o jsonpath={.status.images}`)).includes(image),
        `${image} in the status of ${node}`,
      );
    const archive = async (image: string): Promise<string> => {
      const file = join(folder.path, "image.tar");
      writeFileSync(file, await busyboxArchive(image, image));
      return file;
    };

    // From the node that joined to the server's own, and the other way.
    const one = "offline.test/team/one:1";
    const machine = koggeFor(join(dataDir, "machines", second));
    equal(await machine(["image", "import", await archive(one)]), `${one}\n`);
    await isListed(second, one);
    await create(podOn("one", first, { image: one }));
    await kubectl("wait --for=condition=Ready pod/one --timeout=60s");
    await says("one", new RegExp(`Successfully pulled image "${one}" from node "${second}" in `));
    await isListed(first, one);
    const two = "offline.test/team/two:1";
    await importImageArchive(join(dataDir, "containerd/containerd.sock"), await archive(two));
    await isListed(first, two);
    await create(podOn("two", second, { image: two }));
    await kubectl("wait --for=condition=Ready pod/two --timeout=60s");
    await says("two", new RegExp(`Successfully pulled image "${two}" from node "${first}" in `));

    // Always is the registry's word, and there is none.
    await create(podOn("always", first, { image: two, imagePullPolicy: "Always" }));
    await says("always", /Failed to pull image "\S+two:1": /);

    // 127.0.0.1 of the second machine is another: only the first reaches the registry.
    const secret = { user: "kogge", password: "cargo" };
    using registry = await startPrivateRegistry({
      ...secret,
      archive: await busyboxArchive("any.test/private:1", "private"),
    });
    const image = `${registry.host}/private:1`;
    await kubectl(
      `create secret docker-registry pull --docker-server=${registry.host} --docker-username=${secret.user} --docker-password=${secret.password}`,
    );
    const withSecret = { imagePullSecrets: [{ name: "pull" }] };
    await create(podOn("private", first, { image }, withSecret));
    await kubectl("wait --for=condition=Ready pod/private --timeout=60s");
    await isListed(first, image);
    await create(podOn("poor", second, { image }));
    await says("poor", /Failed to pull image "\S+private:1": .*connection refused/);
    await create(podOn("rich", second, { image }, withSecret));
    await kubectl("wait --for=condition=Ready pod/rich --timeout=60s");
    await says("rich", new RegExp(`from node "${first}" in `));
    await create(podOn("thief", second, { image, imagePullPolicy: "Never" }));
    await says("thief", /Container image "\S+private:1" is not present with pull policy of Never/);
    await create(podOn("local", first, { image }));
    await says("local", /Failed to pull image "\S+private:1": .*(401|authorization failed)/);

    // Who is no node gets nothing.
    for (const node of [first, second]) {
      const { status } = JSON.parse(await kubectl(`get node ${node} -o json`)) as NodeAnswer;
      const server = {
        host: status.addresses.find(({ type }) => type === "InternalIP")?.address,
        port: status.daemonEndpoints.kubeletEndpoint.Port,
        path: `/images?name=${one}`,
        headers: { "kogge-node": node },
      };
      const { users } = JSON.parse(await kubectl("config view --raw -o json")) as Kubeconfig;
      const admin = users[0]?.user ?? {};
      equal(await statusOf(server), 401);
      const pem = (data = ""): string => Buffer.from(data, "base64").toString();
      const cert = pem(admin["client-certificate-data"]);
      equal(await statusOf({ ...server, cert, key: pem(admin["client-key-data"]) }), 403);
      const proxied = `/api/v1/nodes/${node}/proxy/images?name=${one}`;
      const { stderr } = await kubectl.try(["get", "--raw", proxied]);
      match(stderr, /only nodes get images from nodes/);
    }
    await kogge("down");
  },
);

interface NodeAnswer {
  readonly status: {
    readonly addresses: readonly { readonly type: string; readonly address: string }[];
    readonly daemonEndpoints: { readonly kubeletEndpoint: { readonly Port: number } };
  };
}

interface Kubeconfig {
  readonly users: readonly { readonly user: Readonly<Record<string, string | undefined>> }[];
}

/** The nodes' certificates are not what is tested here. */
async function statusOf(options: RequestOptions): Promise<number | undefined> {
  const asking = request({ ...options, agent: false, rejectUnauthorized: false }).end();
  const [response] = (await once(asking, "response")) as [IncomingMessage];
  await text(response);
  return response.statusCode;
}
