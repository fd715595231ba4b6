import { deepEqual, equal, ok } from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { unmountBelow } from "#agent/containerd/containerd-clean.ts";
import { bindSubPath } from "#agent/volumes/mounts.ts";
import { missing } from "#test/needs.ts";

const skip = missing("linux", "root");

async function temporary() {
  const dir = await mkdtemp(join(tmpdir(), "kogge-sub-path-"));
  return {
    dir,
    async [Symbol.asyncDispose]() {
      await unmountBelow([dir]);
      await rm(dir, { recursive: true });
    },
  };
}

test(
  "bindSubPath() makes folders with the volume's rights and binds files too",
  { skip },
  async () => {
    await using place = await temporary();
    const root = join(place.dir, "volume");
    await mkdir(root, { mode: 0o750 });
    await writeFile(join(root, "file"), "1");
    await bindSubPath(root, "a/b", join(place.dir, "folder"));
    await bindSubPath(root, "file", join(place.dir, "one"));
    const { mode, ino } = await stat(join(root, "a/b"));
    equal((mode & 0o777).toString(8), "750");
    deepEqual(
      [(await stat(join(place.dir, "folder"))).ino, (await stat(join(place.dir, "one"))).size],
      [ino, 1],
    );
  },
);

/** Makes `swapped` a folder and a link to somewhere else by turns, as fast as it can. */
const swapper = `
const { mkdirSync, renameSync, rmSync, symlinkSync } = require("node:fs");
const [root, outside] = process.argv.slice(1);
mkdirSync(root + "/real/inner", { recursive: true });
symlinkSync(outside, root + "/link");
console.log("swaps");
const swap = (from, to) => {
  // A folder may have been made there meanwhile, as the volume allows.
  try { renameSync(from, to); } catch { rmSync(to, { recursive: true, force: true }); renameSync(from, to); }
};
for (;;) {
  swap(root + "/real", root + "/swapped");
  swap(root + "/swapped", root + "/real");
  swap(root + "/link", root + "/swapped");
  swap(root + "/swapped", root + "/link");
}`;

test(
  "bindSubPath() never leaves a volume whose folders become links meanwhile",
  { skip },
  async () => {
    await using place = await temporary();
    const root = join(place.dir, "volume");
    const outside = join(place.dir, "outside");
    await mkdir(join(outside, "inner"), { recursive: true });
    await mkdir(root);
    await writeFile(join(outside, "inner", "secret"), "");
    const hostile = spawn(process.execPath, ["-e", swapper, root, outside], {
      stdio: ["ignore", "pipe", "inherit"],
    });
    await once(hostile.stdout, "data");
    let bound = 0;
    try {
      for (let round = 0; round < 150; round += 1) {
        const target = join(place.dir, "targets", String(round));
        const path = round % 3 === 0 ? `swapped/new-${round}` : "swapped/inner";
        const done = await bindSubPath(root, path, target).then(
          () => true,
          () => false,
        );
        if (!done) continue;
        bound += 1;
        deepEqual(await readdir(target), [], `round ${round} shows what is outside`);
      }
    } finally {
      if (hostile.kill("SIGKILL")) await once(hostile, "exit");
    }
    ok(bound > 0, "some were bound");
    deepEqual(await readdir(outside), ["inner"], "nothing was made outside");
  },
);
