import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { after, test } from "node:test";
import { openLmdbStore } from "#storage/node/lmdb-store.ts";
import { conformanceBacklogMax, storeConformance } from "#storage/store-conformance.ts";

const root = mkdtempSync(join(tmpdir(), "kogge-lmdb-"));
const backlogMax = conformanceBacklogMax;
let opened = 0;
after(() => rmSync(root, { recursive: true, force: true }));

function newDirectory(): string {
  return join(root, `store-${opened++}`);
}

storeConformance("lmdb", () => openLmdbStore({ directory: newDirectory(), backlogMax }));

test("openLmdbStore() finds everything acknowledged after a SIGKILL amid writes", async () => {
  const directory = newDirectory();
  const acknowledged = await writeUntilKilled(directory);
  await using store = await openLmdbStore({ directory });
  const { entries, revision } = await store.list({ start: "", end: "" });
  assert.equal(entries.length, revision, "each write made one key, whole or not at all");
  const keys = new Set(entries.map((entry) => entry.key));
  assert.deepEqual(
    acknowledged.filter((key) => !keys.has(key)),
    [],
  );
  assert.ok(entries.every(({ value }) => value.length === 3_000 && value.every((b) => b === 7)));
  assert.deepEqual(await store.put("next", new Uint8Array(), 0), {
    ok: true,
    revision: revision + 1,
  });
});

test("openLmdbStore() refuses a held directory and takes over a dead holder's", async () => {
  const directory = newDirectory();
  {
    await using _ = await openLmdbStore({ directory });
    await assert.rejects(openLmdbStore({ directory }), {
      message: `Cannot open the store in "${directory}": process ${process.pid} is using it`,
    });
  }
  writeFileSync(join(directory, "store.lock"), `${process.pid} another-boot/1\n`);
  await using store = await openLmdbStore({ directory });
  assert.equal(await store.revision(), 0);
});

test("openLmdbStore() goes on where it was: revisions, history, compaction", async () => {
  const directory = newDirectory();
  {
    await using store = await openLmdbStore({ directory });
    await store.put("a", new Uint8Array([1]), 0);
    await store.put("a", new Uint8Array([2]), 1);
    await store.delete("a", 2);
    await store.compact(1);
  }
  await using store = await openLmdbStore({ directory });
  assert.deepEqual([await store.revision(), await store.compactedRevision()], [3, 1]);
  const { entries } = await store.list({ start: "", end: "" }, { atRevision: 2 });
  assert.deepEqual([...entries[0]!.value], [2]);
});

/** The keys that a child process was told are safe before it was killed. */
function writeUntilKilled(directory: string): Promise<readonly string[]> {
  const program = `
    import { writeSync } from "node:fs";
    import { openLmdbStore } from "#storage/node/lmdb-store.ts";
    const store = await openLmdbStore({ directory: process.argv[1] });
    const value = new Uint8Array(3000).fill(7);
    const write = async (key) => { await store.put(key, value, 0); writeSync(1, key + "\\n"); };
    for (let round = 0; ; round++)
      await Promise.all(Array.from({ length: 50 }, (_, at) => write("k" + round + "-" + at)));`;
  const child = spawn(
    process.execPath,
    ["--input-type=module", "--eval", program, "--", directory],
    { stdio: ["ignore", "pipe", "inherit"], cwd: join(import.meta.dirname, "../../..") },
  );
  let output = "";
  child.stdout.setEncoding("utf8").on("data", (chunk: string) => {
    output += chunk;
    if (output.length > 20_000) child.kill("SIGKILL");
  });
  return new Promise((resolve, reject) => {
    child.on("error", reject);
    child.on("close", (_, signal) =>
      signal === "SIGKILL"
        ? resolve(output.split("\n").slice(0, -1))
        : reject(new Error(`the writer ended by itself: ${signal}`)),
    );
  });
}
