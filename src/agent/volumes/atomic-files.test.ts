import { deepEqual, equal, rejects } from "node:assert/strict";
import { mkdir, mkdtemp, readdir, readFile, readlink, rm, stat, symlink } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { type VolumeFile, writeAtomically } from "#agent/volumes/atomic-files.ts";
import { bindSubPath } from "#agent/volumes/mounts.ts";

async function temporary() {
  const dir = await mkdtemp(join(tmpdir(), "kogge-volume-"));
  return { dir, [Symbol.asyncDispose]: () => rm(dir, { recursive: true }) };
}

function file(path: string, content: string, mode = 0o644): VolumeFile {
  return { path, content: Buffer.from(content), mode };
}

test("writeAtomically() lays files out behind ..data and swaps them at once", async () => {
  await using place = await temporary();
  const dir = join(place.dir, "v");
  await writeAtomically(dir, [file("a", "1"), file("sub/b", "2", 0o400)], 0);
  equal(await readFile(join(dir, "sub/b"), "utf8"), "2");
  equal((await stat(join(dir, "sub/b"))).mode & 0o777, 0o400);
  equal(await readlink(join(dir, "a")), "..data/a");
  const first = await readlink(join(dir, "..data"));
  await writeAtomically(dir, [file("a", "1"), file("sub/b", "2", 0o400)], 1000);
  equal(await readlink(join(dir, "..data")), first, "what has not changed is not written");
  await writeAtomically(dir, [file("a", "3")], 2000);
  const second = await readlink(join(dir, "..data"));
  equal(await readFile(join(dir, "a"), "utf8"), "3");
  deepEqual((await readdir(dir)).toSorted(), ["..data", "a", second].toSorted());
});

test("writeAtomically() refuses paths that leave the volume", async () => {
  await using place = await temporary();
  for (const path of ["../a", "/a", "a/../../b", "..a", ""]) {
    await rejects(writeAtomically(join(place.dir, "v"), [file(path, "1")], 0), /invalid path/);
  }
});

test("bindSubPath() refuses a link that leads out of the volume", async () => {
  await using place = await temporary();
  const root = join(place.dir, "v");
  await mkdir(root);
  await symlink("/etc", join(root, "out"));
  await rejects(bindSubPath(root, "out", join(place.dir, "t")), /leads out of the volume/);
  await rejects(bindSubPath(root, "out/new", join(place.dir, "t")), /leads out of the volume/);
});
