import { deepEqual, equal, match } from "node:assert/strict";
import { chmod, chown, mkdir, mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { unmountBelow } from "#agent/containerd/containerd-clean.ts";
import { run } from "#agent/containerd/run.ts";
import { giveToGroup } from "#agent/volumes/group-of-volume.ts";
import { pods } from "#api/resources.ts";
import {
  busyboxImage,
  eventually,
  holds,
  isReady,
  logsOf,
  needsContainers,
  openRealNode,
  podOnNode,
  shellContainer,
  until,
} from "#test/real-node.ts";

const skip = needsContainers;
const namespace = "default";

test(
  "images are volumes that nobody can write to, and folders in memory are as large as they may be",
  { skip },
  async () => {
    await using node = await openRealNode();
    const { client } = node;
    const agent = await node.startAgent();
    const script =
      "ls /image; touch /image/x 2> /dev/null; echo $?; ls /tools/sleep; df -k /memory | tail -n 1 | grep -o 'tmpfs *[0-9]*'; sleep 1000";
    await client.create(
      pods,
      podOnNode("reads", {
        containers: [
          {
            ...shellContainer("main", script),
            volumeMounts: [
              { name: "image", mountPath: "/image" },
              { name: "image", mountPath: "/tools", subPath: "bin" },
              { name: "memory", mountPath: "/memory" },
            ],
          },
        ],
        volumes: [
          { name: "image", image: { reference: busyboxImage } },
          { name: "memory", emptyDir: { medium: "Memory", sizeLimit: "3Mi" } },
        ],
      }),
    );
    const absent = { reference: "localhost:1/absent:1", pullPolicy: "Never" };
    await client.create(
      pods,
      podOnNode("waits", {
        containers: [
          {
            ...shellContainer("main", "sleep 1000"),
            volumeMounts: [{ name: "image", mountPath: "/image" }],
          },
        ],
        volumes: [{ name: "image", image: absent }],
      }),
    );
    await until(client, "reads", isReady);
    match(
      await logsOf(agent, "reads", "main"),
      /^bin\n(?:\S+\n)*tmp\n1\n\/tools\/sleep\ntmpfs +3072\n$/,
    );
    await eventually(
      client,
      'MountVolume.SetUp failed for volume "image" : Container image "localhost:1/absent:1" is not present with pull policy of Never',
    );
    for (const name of ["reads", "waits"]) await client.delete(pods, { namespace, name });
    await holds(join(node.dataDir, "pods"), 0);
    equal(
      (await readFile("/proc/self/mountinfo", "utf8")).includes(`${node.dataDir}/pods/`),
      false,
    );
  },
);

test("what cannot be mounted as asked is refused in upstream's words", { skip }, async () => {
  await using node = await openRealNode();
  const { client, dataDir } = node;
  await node.startAgent();
  const file = join(dataDir, "file");
  await writeFile(file, "");
  const kinds = [
    ["Directory", "a directory"],
    ["Socket", "a socket file"],
    ["CharDevice", "a character device"],
    ["BlockDevice", "a block device"],
  ] as const;
  for (const [type] of kinds) {
    const volumes = [{ name: "host", hostPath: { path: file, type } }];
    await client.create(pods, podOnNode(type.toLowerCase(), { volumes }));
  }
  const mount = { name: "v", mountPath: "/v", readOnly: true, recursiveReadOnly: "Enabled" };
  await client.create(
    pods,
    podOnNode("recursive", {
      containers: [{ ...shellContainer("main", "sleep 1000"), volumeMounts: [mount] }],
      volumes: [{ name: "v", emptyDir: {} }],
    }),
  );
  for (const [, what] of kinds) {
    await eventually(
      client,
      `MountVolume.SetUp failed for volume "host" : hostPath type check failed: ${file} is not ${what}`,
    );
  }
  const recursive =
    'volume "v" requested recursive read-only mode, but it is not supported by the runtime';
  if (!node.runtime.features.recursiveReadOnly) await eventually(client, `Error: ${recursive}`);
});

test("mounts reach containers and come from them as their propagation says", { skip }, async () => {
  await using node = await openRealNode();
  const { client, dataDir } = node;
  const agent = await node.startAgent();
  const path = join(dataDir, "shared");
  await mkdir(join(path, "point"), { recursive: true });
  // Whether the machine's own root is shared is not for a test to say.
  await run("mount", ["--bind", path, path]);
  await using _shared = { [Symbol.asyncDispose]: () => unmountBelow([path]) };
  await run("mount", ["--make-shared", path]);
  const volumes = [{ name: "v", hostPath: { path } }];
  const at = { name: "v", mountPath: "/v" };
  const wait =
    "until test -e /v/go; do sleep 0.1; done; test -e /v/point/made; echo $?; sleep 1000";
  const make = "mount -t tmpfs none /v/point && touch /v/point/made && touch /v/go; sleep 1000";
  const mounted = (name: string, script: string, more: object, securityContext?: object) =>
    podOnNode(name, {
      containers: [
        {
          ...shellContainer("main", script),
          volumeMounts: [{ ...at, ...more }],
          ...(securityContext && { securityContext }),
        },
      ],
      volumes,
    });
  await client.create(pods, mounted("alone", wait, {}));
  await client.create(pods, mounted("follows", wait, { mountPropagation: "HostToContainer" }));
  await until(client, "alone", isReady);
  await until(client, "follows", isReady);
  const privileged = { privileged: true };
  const both = { mountPropagation: "Bidirectional" };
  await client.create(pods, mounted("makes", make, both, privileged));
  await until(client, "makes", isReady);
  const said = async (name: string): Promise<string> => {
    for (;;) {
      const text = await logsOf(agent, name, "main");
      if (text !== "") return text;
      await stat(path);
    }
  };
  deepEqual([await said("alone"), await said("follows")], ["1\n", "0\n"]);
  for (const name of ["alone", "follows", "makes"]) await client.delete(pods, { namespace, name });
  await holds(join(dataDir, "pods"), 0);
});

test(
  "a group is given all of a claimed volume, or nothing of it when its root is right already",
  { skip },
  async () => {
    const dir = await mkdtemp(join(tmpdir(), "kogge-group-"));
    await using _dir = { [Symbol.asyncDispose]: () => rm(dir, { recursive: true }) };
    await writeFile(join(dir, "old"), "", { mode: 0o600 });
    const pod = podOnNode("p", {
      securityContext: { fsGroup: 3000, fsGroupChangePolicy: "OnRootMismatch" },
    });
    const seen = async () => {
      const { gid, mode } = await stat(join(dir, "old"));
      return [gid, (mode & 0o777).toString(8)];
    };
    await giveToGroup(pod, dir, { readOnly: false, mayTrustRoot: true });
    deepEqual(await seen(), [3000, "660"]);
    await chown(join(dir, "old"), 0, 0);
    await chmod(join(dir, "old"), 0o600);
    await giveToGroup(pod, dir, { readOnly: false, mayTrustRoot: true });
    deepEqual(await seen(), [0, "600"], "the root was right");
    await giveToGroup(pod, dir, { readOnly: false });
    deepEqual(await seen(), [3000, "660"]);
  },
);
