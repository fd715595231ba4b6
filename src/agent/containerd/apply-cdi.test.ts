import { deepEqual, rejects } from "node:assert/strict";
import { mkdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { applyCdi } from "#agent/containerd/apply-cdi.ts";
import type { CdiEdits } from "#agent/containerd/cdi-specs.ts";
import type { ContainerConfig } from "#agent/runtime/container-runtime.ts";
import { temporaryFolder } from "#test/temporary.ts";

const config = (...cdiDevices: readonly string[]): ContainerConfig => ({
  name: "main",
  attempt: 0,
  image: "i",
  command: [],
  args: [],
  workingDir: "",
  env: [
    { name: "KEPT", value: "1" },
    { name: "DEVICE", value: "the container's" },
  ],
  mounts: [{ hostPath: "/a", containerPath: "/a", readOnly: false, propagation: "private" }],
  cdiDevices,
  labels: {},
  annotations: {},
  logPath: "",
  stdin: false,
  stdinOnce: false,
  tty: false,
  resources: {},
  security: {
    privileged: false,
    readOnlyRootFilesystem: false,
    noNewPrivileges: false,
    supplementalGroups: [1],
    addCapabilities: [],
    dropCapabilities: [],
    seccomp: { kind: "unconfined" },
  },
});

/** Two folders of specifications, of which the second counts more. */
function folders(root: string) {
  const dirs = [join(root, "first"), join(root, "second"), join(root, "missing")];
  for (const dir of dirs.slice(0, 2)) mkdirSync(dir);
  const write = (index: number, name: string, spec: unknown): void =>
    writeFileSync(
      join(dirs[index] ?? "", name),
      typeof spec === "string" ? spec : JSON.stringify(spec),
    );
  return { dirs, write };
}

test("applyCdi() turns devices' names into what they consist of", async () => {
  using folder = temporaryFolder("cdi");
  const { dirs, write } = folders(folder.path);
  write(0, "a.yaml", "kind: x.com/gpu\ndevices: [{name: a, containerEdits: {env: [OLD=1]}}]\n");
  write(1, "b.json", {
    cdiVersion: "0.6.0",
    kind: "x.com/gpu",
    containerEdits: { env: ["DEVICE=shared", "SHARED=a=b"], additionalGids: [5, 0] },
    devices: [
      { name: "a", containerEdits: { deviceNodes: [{ path: "/dev/a", hostPath: "/dev/zero" }] } },
      {
        name: "b",
        containerEdits: {
          env: ["DEVICE=b"],
          deviceNodes: [{ path: "/dev/null", permissions: "r", uid: 0 }],
          mounts: [{ hostPath: "/l", containerPath: "/l", options: ["ro", "rbind", "rslave"] }],
        },
      },
    ],
  });
  const given = config("x.com/gpu=a", "x.com/gpu=b");
  deepEqual(await applyCdi(given, dirs), {
    ...given,
    cdiDevices: [],
    env: [
      { name: "KEPT", value: "1" },
      { name: "DEVICE", value: "b" },
      { name: "SHARED", value: "a=b" },
    ],
    devices: [
      { containerPath: "/dev/a", hostPath: "/dev/zero", permissions: "rwm" },
      { containerPath: "/dev/null", hostPath: "/dev/null", permissions: "r" },
    ],
    mounts: [
      ...given.mounts,
      { hostPath: "/l", containerPath: "/l", readOnly: true, propagation: "host-to-container" },
    ],
    security: { ...given.security, supplementalGroups: [1, 5] },
  });
});

test("applyCdi() refuses what it cannot do instead of leaving it out", async () => {
  using folder = temporaryFolder("cdi");
  const { dirs, write } = folders(folder.path);
  const cases: readonly (readonly [name: string, edits: CdiEdits, why: string])[] = [
    ["hooks", { hooks: [{}] }, "hooks of a CDI device need containerd 1.7"],
    [
      "owner",
      { deviceNodes: [{ path: "/dev/zero", uid: 4711 }] },
      'another owner or mode of "/dev/zero" of a CDI device need containerd 1.7',
    ],
    [
      "option",
      { mounts: [{ hostPath: "/l", containerPath: "/l", options: ["nosuid"] }] },
      'mounts with the option "nosuid" of a CDI device need containerd 1.7',
    ],
    ["variable", { env: ["none"] }, '"none" is no variable'],
  ];
  const devices = cases.map(([name, containerEdits]) => ({ name, containerEdits }));
  write(0, "cases.json", { kind: "x.com/gpu", devices });
  for (const [name, , why] of cases) {
    const message = `CDI device injection failed: ${why}`;
    await rejects(applyCdi(config(`x.com/gpu=${name}`), dirs), { message });
  }
  await rejects(applyCdi(config("x.com/gpu=none"), dirs), {
    message: "CDI device injection failed: unresolvable CDI devices x.com/gpu=none",
  });
  write(1, "broken.json", "{}");
  await rejects(
    applyCdi(config("x.com/gpu=none"), dirs),
    /unresolvable CDI devices x.com\/gpu=none \(not read: ".*broken.json": it has no kind and devices\)/,
  );
  write(0, "twice.json", { kind: "x.com/gpu", devices: [{ name: "hooks" }] });
  await rejects(applyCdi(config("x.com/gpu=hooks"), dirs), /conflicting device "x.com\/gpu=hooks"/);
});
