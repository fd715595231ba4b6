import { equal } from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { watchMemoryStalls } from "#agent/eviction/memory-stalls.ts";
import { cgroupMount, isUnified } from "#agent/node/cgroup-files.ts";
import { missing } from "#test/needs.ts";

test(
  "watchMemoryStalls() sets a trigger where the kernel has them, and says where it has none",
  { skip: missing("linux", "root") },
  async () => {
    const file = join(cgroupMount, isUnified() ? "" : "unified", "memory.pressure");
    using watched = await watchMemoryStalls(() => {});
    equal(watched.isWatched, existsSync(file));
    const empty = mkdtempSync(join(tmpdir(), "kogge-psi-"));
    using unwatched = await watchMemoryStalls(() => {}, empty);
    equal(unwatched.isWatched, false);
    rmSync(empty, { recursive: true });
  },
);
