import { deepEqual, equal, rejects } from "node:assert/strict";
import { mkdir, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import type { Pod, VolumeMount } from "#api/generated/types.ts";
import { createDiskPodFiles } from "#agent/volumes/disk-pod-files.ts";
import { containerMounts, type MountParts } from "#agent/volumes/container-mounts.ts";
import { podDirectory } from "#agent/volumes/pod-directory.ts";
import type { VolumeContext } from "#agent/volumes/volume-plugin.ts";
import { temporaryFolder } from "#test/temporary.ts";

const pod: Pod = {
  apiVersion: "v1",
  kind: "Pod",
  metadata: { name: "p", namespace: "default", uid: "u" },
  spec: { containers: [{ name: "c" }] },
};

function partsIn(dataDir: string, mounts: readonly VolumeMount[] = []): MountParts {
  return {
    pod,
    container: { role: "app", spec: { name: "c", volumeMounts: mounts } } as never,
    attempt: 0,
    directory: podDirectory(dataDir, pod),
    volumes: new Map([["v", { hostPath: join(dataDir, "v"), readOnly: false } as never]]),
    environment: new Map([
      ["ROOT", "/tmp"],
      ["EMPTY", ""],
    ]),
  };
}

test("a subPathExpr that names nothing, or leaves the volume, is refused in upstream's words", async () => {
  using folder = temporaryFolder("mounts");
  const refused = {
    "$(ABSENT)/$(EMPTY)": /^Error: missing value for ABSENT, EMPTY$/,
    "$(ROOT)": /^Error: error SubPath `\/tmp` must not be an absolute path$/,
  };
  for (const [subPathExpr, message] of Object.entries(refused)) {
    const mounts = [{ name: "v", mountPath: "/v", subPathExpr }];
    await rejects(containerMounts(partsIn(folder.path, mounts)), message);
  }
});

test("every user of a container may write its last words", async () => {
  using folder = temporaryFolder("mounts");
  const parts = partsIn(folder.path);
  const before = process.umask(0o077);
  try {
    await containerMounts(parts);
  } finally {
    process.umask(before);
  }
  equal((await stat(parts.directory.terminationLog("c", 0))).mode & 0o777, 0o666);
});

test("last words from the log are as they were written: what has no end of line gets none", async () => {
  using folder = temporaryFolder("mounts");
  const context = {} as VolumeContext;
  const files = createDiskPodFiles({ dataDir: folder.path, clusterDomain: "c", context });
  const log = join(podDirectory(folder.path, pod).logs, "c", "0.log");
  await mkdir(dirname(log), { recursive: true });
  const stamp = "2026-01-01T00:00:00.000000000Z";
  await writeFile(log, `${stamp} stdout F one\n${stamp} stdout P two \n${stamp} stdout P three\n`);
  const spec = { name: "c", terminationMessagePolicy: "FallbackToLogsOnError" };
  const said = (exitCode: number) =>
    files.lastWords(pod, { spec } as never, { attempt: 0, exitCode, message: "" } as never);
  deepEqual([await said(1), await said(0)], ["one\ntwo three", ""]);
});
