import { deepEqual, equal } from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { join } from "node:path";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { createCluster } from "#main/testing.ts";
import { kubectlFor, kubectlVersions } from "#test/clients.ts";
import { missing } from "#test/needs.ts";
import { accessOf, send } from "#test/raw-client.ts";
import { temporaryFolder } from "#test/temporary.ts";

interface Recorded {
  readonly contentType: string;
  readonly accept: string;
  readonly body: Buffer;
}

const words = "create deployment web --image=web:1 --port=80";
const path = "/apis/apps/v1/namespaces/default/deployments";
const protobuf = "application/vnd.kubernetes.protobuf";

for (const version of kubectlVersions) {
  test(
    `what kubectl 1.${version} sends as protobuf is taken, and answered so`,
    { skip: missing("clients") },
    async () => {
      using folder = temporaryFolder("recorded");
      const kubectl = kubectlFor(join(folder.path, "none"), version);
      const recorded = await record(kubectl);
      equal(recorded.contentType, protobuf);
      await using cluster = await createCluster({ nodes: 0 });
      const access = accessOf(cluster.kubeconfig);
      const answer = await send(access, {
        method: "POST",
        path,
        headers: { "content-type": recorded.contentType, accept: recorded.accept },
        body: recorded.body,
      });
      equal(answer.status, 201);
      equal(answer.headers["content-type"], protobuf);
      const { object } = await send(access, { path: `${path}/web` });
      // The same as JSON, which kubectl prints when nothing is to be sent.
      await send(access, { method: "DELETE", path: `${path}/web` });
      const printed = await kubectl(`${words} --dry-run=client -o json`);
      const headers = { "content-type": "application/json" };
      const other = await send(access, { method: "POST", path, headers, body: printed });
      equal(other.status, 201);
      deepEqual(object["spec"], other.object["spec"]);
    },
  );
}

/** What kubectl sends to a server that only listens. */
async function record(kubectl: ReturnType<typeof kubectlFor>): Promise<Recorded> {
  const { promise, resolve } = Promise.withResolvers<Recorded>();
  const server = createServer((incoming, response) => {
    const { "content-type": contentType = "", accept = "" } = incoming.headers;
    void buffer(incoming).then((body) => {
      if (incoming.method === "POST") resolve({ contentType, accept, body });
      response.writeHead(404, { "content-type": "application/json" }).end("{}");
    });
  });
  await once(server.listen(0, "127.0.0.1"), "listening");
  try {
    const { port } = server.address() as AddressInfo;
    const sent = kubectl.try([...words.split(" "), `--server=http://127.0.0.1:${port}`]);
    const nothing = sent.then(({ stderr }) => Promise.reject(new Error(stderr)));
    nothing.catch(() => {});
    return await Promise.race([promise, nothing]);
  } finally {
    server.closeAllConnections();
    server.close();
  }
}
