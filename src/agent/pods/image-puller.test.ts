import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type { Pod, Secret } from "#api/generated/types.ts";
import { seededRandom } from "#base/random.ts";
import type { GetFromPeers } from "#agent/images/peer-images.ts";
import { PullRecords } from "#agent/images/pull-records.ts";
import { createImagePuller } from "#agent/pods/image-puller.ts";
import { simulatedProcesses } from "#agent/simulated/node/simulated-processes.ts";
import { createSimulatedRuntime } from "#agent/simulated/simulated-runtime.ts";
import { createManualClock } from "#reconcile/manual-clock.ts";
import { temporaryFolder } from "#test/temporary.ts";

const image = "registry.test/team/web:1";
const missing = "missing.simulated.kogge.dev/web:1";

const pullSecret: Secret = {
  apiVersion: "v1",
  kind: "Secret",
  metadata: { namespace: "default", name: "pull", uid: "s" },
  type: "kubernetes.io/dockerconfigjson",
  data: {
    ".dockerconfigjson": Buffer.from(
      JSON.stringify({ auths: { "registry.test": { username: "u", password: "p" } } }),
    ).toString("base64"),
  },
};

/** A node whose registry has every image, and whose peers are `fromPeers`. */
function openNode(dir: string, fromPeers?: GetFromPeers) {
  const clock = createManualClock();
  const runtime = createSimulatedRuntime({
    clock,
    random: seededRandom(1),
    podCidr: "10.1.0.0/24",
    processes: simulatedProcesses,
  });
  const pulls: string[] = [];
  const counted = Object.assign(runtime, {
    pullImage: new Proxy(runtime.pullImage.bind(runtime), {
      apply: (pull, _self, words: Parameters<typeof runtime.pullImage>) => {
        pulls.push(`${words[0]} as ${words[1]?.username ?? "anybody"}`);
        return pull(...words);
      },
    }),
  });
  const objects = {
    configMap: () => Promise.reject(new Error("none")),
    secret: async () => pullSecret,
    services: async () => [],
  };
  const records = new PullRecords(dir, clock);
  const parts = { runtime: counted, objects, clock, records, pullsMax: 1 };
  const puller = createImagePuller({ ...parts, ...(fromPeers && { fromPeers }) });
  /** Resolves with the events, the last of which may be the failure. */
  const ensure = async (
    wanted: { image?: string; policy?: string; withSecret?: boolean },
    uid = "pod",
  ): Promise<readonly string[]> => {
    const pod: Pod = {
      apiVersion: "v1",
      kind: "Pod",
      metadata: { namespace: "default", name: "web", uid },
      spec: {
        containers: [],
        ...(wanted.withSecret && { imagePullSecrets: [{ name: "pull" }] }),
      },
    };
    const spec = {
      name: "web",
      image: wanted.image ?? image,
      imagePullPolicy: wanted.policy ?? "IfNotPresent",
    };
    const said: string[] = [];
    const tell = (_type: string, reason: string, message: string): void =>
      void said.push(`${reason}: ${message}`);
    const { signal } = new AbortController();
    await puller.ensure(pod, { role: "app", spec }, tell, signal).catch(() => {});
    return said;
  };
  return { runtime, records, pulls, ensure };
}

const pulledFromRegistry = [
  `Pulling: Pulling image "${image}"`,
  `Pulled: Successfully pulled image "${image}" in 0ms (0ms including waiting). Image size: 0 bytes.`,
];
const present = [
  `Pulled: Container image "${image}" already present on machine and can be accessed by the pod`,
];
const notPresent = [
  `ErrImageNeverPull: Container image "${image}" is not present with pull policy of Never`,
];

test("an image is asked for at other nodes, then at its registry, and with Always only there", async () => {
  using folder = temporaryFolder("image-puller");
  const asked: string[] = [];
  const node = openNode(folder.path, async (wish) => {
    asked.push(wish.image);
    wish.onFailure("b", "it did not answer within 30 s");
    return undefined;
  });
  const { ensure, pulls } = node;
  deepEqual(await ensure({ policy: "Never" }), notPresent);
  deepEqual(await ensure({ policy: "Always" }), pulledFromRegistry);
  deepEqual(await ensure({}), present);
  deepEqual(asked, []);
  const failed = `from node "b": it did not answer within 30 s`;
  deepEqual(await ensure({ image: missing }), [
    `Failed: Failed to pull image "${missing}" ${failed}`,
    `Pulling: Pulling image "${missing}"`,
    `Failed: Failed to pull image "${missing}": failed to resolve reference "${missing}": ${missing}: not found`,
  ]);
  deepEqual(asked, [missing]);
  deepEqual(pulls, [`${image} as anybody`, `${missing} as anybody`]);
});

test("an image from another node is for whom it was there", async () => {
  using folder = temporaryFolder("image-puller");
  const give: GetFromPeers = async ({ image: name, secrets, signal, onBegin }) => {
    const [secret] = secrets;
    if (secret === undefined) return undefined;
    onBegin("b");
    await other.pullImage(name, undefined, signal);
    return { node: "b", access: "secret", secret };
  };
  const { runtime: other, ensure, pulls } = openNode(folder.path, give);
  pulls.length = 0;
  deepEqual(await ensure({ withSecret: true }), [
    `Pulling: Pulling image "${image}" from node "b"`,
    `Pulled: Successfully pulled image "${image}" from node "b" in 0ms (0ms including waiting). Image size: 0 bytes.`,
  ]);
  deepEqual(await ensure({ withSecret: true }), present);
  deepEqual(await ensure({ withSecret: true, policy: "Never" }), present);
  deepEqual(await ensure({ policy: "Never" }), notPresent);
  deepEqual(await ensure({}), pulledFromRegistry);
  deepEqual(await ensure({ policy: "Never" }), present);
});

test("an image pulled with a secret is pulled again for a pod that has none", async () => {
  using folder = temporaryFolder("image-puller");
  const { ensure, pulls, runtime, records } = openNode(folder.path);
  await runtime.pullImage("registry.test/loaded:1", undefined, new AbortController().signal);
  pulls.length = 0;
  deepEqual(await ensure({ withSecret: true }), pulledFromRegistry);
  deepEqual(await ensure({ withSecret: true }), present);
  deepEqual(await ensure({ policy: "Never" }), notPresent);
  equal(records.access(image, image).kind, "secrets");
  deepEqual(await ensure({}), pulledFromRegistry);
  deepEqual(pulls, [`${image} as u`, `${image} as anybody`]);
  deepEqual((await ensure({ image: "registry.test/loaded:1", policy: "Never" })).length, 1);
  equal(records.access("registry.test/loaded:1", "registry.test/loaded:1").kind, "loaded");
});

test("pulls wait for each other, and one image is pulled once for pods that wait", async () => {
  using folder = temporaryFolder("image-puller");
  const begun = Promise.withResolvers<void>();
  const finish = Promise.withResolvers<void>();
  let atOnce = 0;
  const node = openNode(folder.path, async () => {
    equal((atOnce += 1), 1);
    begun.resolve();
    await finish.promise;
    atOnce -= 1;
    return undefined;
  });
  const first = node.ensure({}, "a");
  await begun.promise;
  const second = node.ensure({}, "b");
  const third = node.ensure({ image: "registry.test/other:1" }, "c");
  finish.resolve();
  deepEqual(await first, pulledFromRegistry);
  deepEqual(await second, present);
  equal((await third).length, 2);
  deepEqual(node.pulls, [`${image} as anybody`, "registry.test/other:1 as anybody"]);
});
