import { deepEqual, equal, rejects } from "node:assert/strict";
import { PassThrough, Readable } from "node:stream";
import { buffer } from "node:stream/consumers";
import { test } from "node:test";
import { setImmediate } from "node:timers/promises";
import { pods, secrets } from "#api/resources.ts";
import type { StatusError } from "#api/status.ts";
import { createAuthority } from "#apiserver/node/pki/authority.ts";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { seededRandom } from "#base/random.ts";
import { createCluster } from "#main/testing.ts";
import { mayAskNode } from "#main/nodes/node-streams.ts";
import { fetchImage, ImageRefusal } from "#agent/images/fetch-image.ts";
import { PullRecords, type PullSecret } from "#agent/images/pull-records.ts";
import { createImageServer } from "#agent/images/serve-image.ts";
import { simulatedProcesses } from "#agent/simulated/node/simulated-processes.ts";
import { createSimulatedRuntime } from "#agent/simulated/simulated-runtime.ts";
import { createManualClock } from "#reconcile/manual-clock.ts";
import { createStreamServer } from "#agent/streams/stream-server.ts";
import { createFakeTargets } from "#agent/streams/testing/fake-targets.ts";
import { temporaryFolder } from "#test/temporary.ts";

const authority = createAuthority(Date.now());
const loaded = "registry.test/loaded:1";
const pulled = "registry.test/pulled:1";
const at = { namespace: "default", name: "pull" };

/** The node "holder" with two images, in a cluster where a pod of node-1 names the secret of the second. */
async function openHolder() {
  await using stack = new AsyncDisposableStack();
  const folder = stack.use(temporaryFolder("serve-image"));
  const { client } = stack.use(await createCluster({ nodes: 2 }));
  const secret = await client.create(secrets, {
    apiVersion: "v1",
    kind: "Secret",
    metadata: at,
    type: "kubernetes.io/dockerconfigjson",
    data: { ".dockerconfigjson": Buffer.from('{"auths":{}}').toString("base64") },
  });
  const own = { ...at, uid: secret.metadata.uid ?? "", credentialHash: "hash" };
  await client.create(pods, {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { namespace: "default", name: "web" },
    spec: {
      nodeName: "node-1",
      serviceAccountName: "default",
      containers: [{ name: "web", image: pulled }],
      imagePullSecrets: [{ name: "pull" }],
    },
  });
  const random = seededRandom(1);
  const parts = {
    clock: systemClock,
    random,
    podCidr: "10.1.0.0/24",
    processes: simulatedProcesses,
  };
  const runtime = Object.assign(createSimulatedRuntime(parts), {
    imageArchives: {
      export: (names: readonly string[]) => Readable.from([Buffer.from(`tar of ${names.join()}`)]),
      import: async () => {},
    },
  });
  const { signal } = new AbortController();
  for (const image of [loaded, pulled]) await runtime.pullImage(image, undefined, signal);
  const records = new PullRecords(folder.path, systemClock);
  records.pulled(pulled, pulled, own);
  const { key, certificate } = authority.issue({
    subject: { commonName: "system:node:holder" },
    use: "server",
  });
  const server = stack.use(
    await createStreamServer({
      targets: createFakeTargets(),
      tls: { key, cert: certificate, clientCa: authority.certificate },
      authorize: mayAskNode,
      pages: createImageServer({ runtime, records, client, clock: systemClock }),
      host: "127.0.0.1",
      port: 0,
      log: silentLog,
    }),
  );
  const source = { node: "holder", host: "127.0.0.1", port: server.port };
  const opened = stack.move();
  return { source, own, [Symbol.asyncDispose]: () => opened.disposeAsync() };
}

test("createImageServer() sends four images at once; who waits too long is told so", async () => {
  using folder = temporaryFolder("serve-image");
  await using cluster = await createCluster();
  const clock = createManualClock();
  const random = seededRandom(1);
  const parts = { clock, random, podCidr: "10.1.0.0/24", processes: simulatedProcesses };
  const runtime = Object.assign(createSimulatedRuntime(parts), {
    imageArchives: { export: () => new PassThrough(), import: async () => {} },
  });
  await runtime.pullImage(loaded, undefined, new AbortController().signal);
  const records = new PullRecords(folder.path, clock);
  const serve = createImageServer({ runtime, records, client: cluster.client, clock });
  const peer = { name: "system:node:b", groups: ["system:nodes"] };
  const ask = () => serve({ path: "/images", query: new URLSearchParams({ name: loaded }), peer });
  const bodies = await Promise.all([ask(), ask(), ask(), ask()]);
  const late = ask();
  const next = ask();
  await setImmediate();
  clock.advance(14_999);
  const [first] = bodies;
  if (first === undefined || typeof first.body === "string") throw new Error("no archive");
  first.body.destroy();
  equal((await late).contentType, "application/x-tar");
  clock.advance(1);
  await rejects(next, (error: unknown) => {
    const { code, message } = (error as StatusError).status;
    deepEqual([code, message], [429, "4 images are on their way from this node"]);
    return true;
  });
});

function identityOf(commonName: string, organizations: readonly string[]) {
  const pair = authority.issue({ subject: { commonName, organizations }, use: "client" });
  return { ...pair, authorities: [authority.certificate] };
}

test("createImageServer() gives images to nodes, private ones to those that may read the secret", async () => {
  await using holder = await openHolder();
  const { source, own } = holder;
  const ask = async (
    name: string,
    identity: ReturnType<typeof identityOf>,
    asked: readonly PullSecret[] = [],
  ) => {
    const { signal } = new AbortController();
    const options = { name, secrets: asked, identity, clock: systemClock, signal };
    const { offer, archive } = await fetchImage(source, options);
    return { offer, archive: (await buffer(archive)).toString() };
  };
  const refused = (status: number) => (error: unknown) => {
    equal(error instanceof ImageRefusal ? error.status : error, status);
    return true;
  };
  const one = identityOf("system:node:node-1", ["system:nodes"]);
  const two = identityOf("system:node:node-2", ["system:nodes"]);
  deepEqual(await ask(loaded, two), {
    offer: { id: loaded, names: [loaded], access: "loaded" },
    archive: `tar of ${loaded}`,
  });
  const { credentialHash: _, ...secret } = own;
  deepEqual(await ask(pulled, one, [{ ...own, uid: "of an earlier one" }, own]), {
    offer: { id: pulled, names: [pulled], access: "secret", secret },
    archive: `tar of ${pulled}`,
  });
  await rejects(ask(pulled, one), refused(403));
  await rejects(ask(pulled, one, [{ ...own, uid: "of an earlier one" }]), refused(403));
  await rejects(ask(pulled, two, [own]), refused(403));
  await rejects(ask("registry.test/none:1", one), refused(404));
  await rejects(ask("", one), refused(400));
  await rejects(ask(loaded, identityOf("admin", ["system:masters"])), refused(403));
  await rejects(ask(loaded, identityOf("system:node:x", ["others"])), refused(403));
  await rejects(ask(loaded, identityOf("kube-apiserver-kubelet-client", [])), refused(403));
  const stranger = createAuthority(Date.now()).issue({
    subject: { commonName: "system:node:node-1", organizations: ["system:nodes"] },
    use: "client",
  });
  await rejects(ask(loaded, { ...stranger, authorities: one.authorities }), refused(401));
  const other = { ...one, authorities: [createAuthority(Date.now()).certificate] };
  await rejects(ask(loaded, other), /self-signed certificate|unable to verify|signature/);
});
