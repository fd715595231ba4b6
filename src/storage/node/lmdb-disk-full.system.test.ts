import assert from "node:assert/strict";
import { execFileSync } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { openLmdbStore } from "#storage/node/lmdb-store.ts";
import { missing } from "#test/needs.ts";

test(
  "openLmdbStore()'s store rejects writes on a full disk and takes them again when there is room",
  { skip: missing("linux", "root") },
  async () => {
    const mount = mkdtempSync(join(tmpdir(), "kogge-full-"));
    execFileSync("mount", ["-t", "tmpfs", "-o", "size=8m", "tmpfs", mount]);
    try {
      await fillAndFree(mount);
    } finally {
      execFileSync("umount", [mount]);
      rmSync(mount, { recursive: true });
    }
  },
);

async function fillAndFree(mount: string): Promise<void> {
  const ballast = join(mount, "ballast");
  writeFileSync(ballast, new Uint8Array(4 << 20));
  await using store = await openLmdbStore({ directory: join(mount, "store") });
  let written = 0;
  const write = () => store.put(`k${written}`, new Uint8Array(100_000), 0);
  await assert.rejects(async () => {
    for (; written < 100; written++) await write();
  }, /Cannot write "k\d+": the disk is full/);
  rmSync(ballast);
  assert.deepEqual(await write(), { ok: true, revision: written + 1 });
  assert.equal((await store.list({ start: "", end: "" })).entries.length, written + 1);
}
