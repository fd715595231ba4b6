import { deepEqual, equal } from "node:assert/strict";
import { spawnSync } from "node:child_process";
import type { ServerResponse } from "node:http";
import { createServer } from "node:https";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { setTimeout as delay } from "node:timers/promises";
import type { Node } from "#api/generated/types.ts";
import { nodes, pods } from "#api/resources.ts";
import { createMemoryPki } from "#apiserver/node/pki/pki-directory.ts";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import type { Client } from "#client/client.ts";
import { offerHeader } from "#agent/images/image-offer.ts";
import { pauseImageName } from "#agent/images/pause-image.ts";
import { createPeerImages } from "#agent/images/peer-images.ts";
import { readMachineFacts } from "#agent/node/machine-facts.ts";
import {
  busyboxArchive,
  busyboxImage,
  eventually,
  isReady,
  needsContainers,
  openRealNode,
  podOnNode,
  shellContainer,
  until,
} from "#test/real-node.ts";

const pki = createMemoryPki(Date.now());
const identity = () => ({
  ...pki.authority.issue({
    subject: { commonName: "system:node:n", organizations: ["system:nodes"] },
    use: "client",
  }),
  authorities: [pki.authority.certificate],
});

/** A node that says it has an image, and what it sends when it is asked. */
async function startPeer(
  client: Client,
  node: { readonly name: string; readonly image: string; readonly certificateOf?: string },
  send: (response: ServerResponse) => void,
) {
  const { name, image, certificateOf = name } = node;
  const { key, certificate } = pki.authority.issue({
    subject: { commonName: `system:node:${certificateOf}` },
    use: "server",
  });
  const tls = { key, cert: certificate, ca: pki.authority.certificate, requestCert: true };
  const server = createServer(tls, (_request, response) => {
    const offer = { id: "sha256:0", names: [image], access: "loaded" };
    response.setHeader(offerHeader, JSON.stringify(offer));
    send(response);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const { architecture, operatingSystem } = readMachineFacts("/");
  const nodeInfo = { architecture, operatingSystem, containerRuntimeVersion: "containerd://1.6" };
  const status = {
    addresses: [{ type: "InternalIP", address: "127.0.0.1" }],
    conditions: [{ type: "Ready", status: "True" }],
    daemonEndpoints: { kubeletEndpoint: { Port: port } },
    images: [{ names: [image], sizeBytes: 1 }],
    nodeInfo,
  };
  const object: Node = { apiVersion: "v1", kind: "Node", metadata: { name } };
  await client.create(nodes, object);
  const patch = { kind: "merge", value: { status } } as const;
  await client.patch(nodes, { name }, patch, { subresource: "status" });
  return {
    [Symbol.dispose]: () => {
      server.closeAllConnections();
      server.close();
    },
  };
}

test(
  "an image comes from a node that gives it whole, and what others send leaves nothing behind",
  { skip: needsContainers },
  async () => {
    await using node = await openRealNode();
    const { client, runtime, containerd } = node;
    const archiveOf = (image: string): Promise<Buffer> => busyboxArchive(image, image);
    const image = (name: string): string => `peers.test/${name}:1`;
    const good = await archiveOf(image("good"));
    const flipped = Buffer.from(await archiveOf(image("flipped")));
    flipped.writeUInt8(flipped.readUInt8(700_000) ^ 0xff, 700_000);
    const hangs = await archiveOf(image("hangs"));
    const early = await archiveOf(image("early"));
    const dying = await archiveOf(image("dies"));
    const dies = (archive: Buffer) => (response: ServerResponse) =>
      void response.write(archive.subarray(0, 500_000), () => response.destroy());
    const bad: Record<string, (response: ServerResponse) => void> = {
      rubbish: (response) => response.end(Buffer.alloc(100_000, "rubbish")),
      flipped: (response) => response.end(flipped),
      other: (response) => response.end(good),
      silent: () => {},
      hangs: (response) => response.write(hangs.subarray(0, 5000)),
      early: (response) => response.end(early.subarray(0, 500_224)),
      busy: (response) => {
        response.statusCode = 429;
        response.end(JSON.stringify({ message: "4 images are on their way from this node" }));
      },
      liar: (response) => response.end(good),
      dies: dies(dying),
    };
    using stack = new DisposableStack();
    const { architecture, operatingSystem } = readMachineFacts("/");
    const said: Record<string, string> = {};
    for (const [name, send] of Object.entries(bad)) {
      const certificateOf = name === "liar" ? "rubbish" : name;
      stack.use(await startPeer(client, { name, image: image(name), certificateOf }, send));
      const get = createPeerImages({
        client,
        self: { name: "n", architecture, operatingSystem },
        archives: runtime.imageArchives!,
        identity,
        clock: systemClock,
        random: () => 0,
        log: silentLog,
        ...(name === "silent" && { limits: { answerMs: 100, idleMs: 60_000 } }),
        ...(name === "hangs" && { limits: { answerMs: 60_000, idleMs: 100 } }),
      });
      const wish = { image: image(name), secrets: [], signal: new AbortController().signal };
      const given = await get({
        ...wish,
        onBegin: () => {},
        onFailure: (from, reason) => void (said[from] = reason.replaceAll(/[0-9a-f]{64}/g, "…")),
      });
      equal(given, undefined);
    }
    deepEqual(said, {
      rubbish: "the archive is no tar that is understood",
      flipped:
        "Cannot import the archive: failed to extract layer sha256:…: failed to get reader from content store: content digest sha256:…: not found",
      other: 'the archive holds image "peers.test/good:1"',
      silent: "it did not answer within 0.1 s",
      hangs: "nothing came for 0.1 s",
      early: "the archive ended too early",
      busy: "4 images are on their way from this node",
      liar: 'who answers there is "system:node:rubbish"',
      dies: "the connection broke off",
    });
    deepEqual((await runtime.listImages()).flatMap(({ tags }) => tags).toSorted(), [
      `docker.io/library/${busyboxImage}`,
      pauseImageName,
    ]);
    const ctr = ["--address", containerd.socket, "--namespace", "k8s.io"];
    const leases = spawnSync("ctr", [...ctr, "leases", "ls", "-q"], { encoding: "utf8" });
    equal(leases.stdout, "");

    using _a = await startPeer(client, { name: "a-dies", image: image("good") }, dies(good));
    using _b = await startPeer(client, { name: "b-good", image: image("good") }, (response) =>
      response.end(good),
    );
    await node.startAgent({ identity, random: () => 0 });
    const container = { ...shellContainer("main", "sleep 1000"), image: image("good") };
    await client.create(pods, podOnNode("web", { containers: [container] }));
    await eventually(client, /^Failed to pull image "\S+good:1" from node "a-dies": /);
    await eventually(client, /^Successfully pulled image "\S+good:1" from node "b-good" in /);
    await until(client, "web", isReady);
    const own = (node: Node): boolean =>
      node.status?.images?.some(({ names }) => names?.includes(image("good"))) ?? false;
    while (!own(await client.get(nodes, { name: "n" }))) await delay(50);
  },
);
