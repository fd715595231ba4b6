import { ok } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { seededRandom } from "#base/random.ts";
import { createClient } from "#client/api-client.ts";
import { createInformers } from "#client/informers.ts";
import { allControllers } from "#controllers/controllers.ts";
import { ownershipTable } from "#controllers/ownership-table.ts";
import { assertOneWriter } from "#reconcile/ownership.ts";

test("README.md has the table that ownershipTable() makes, and fields have one writer", () => {
  const stop = new AbortController();
  const client = createClient({
    request: () => Promise.reject(new Error("Cannot answer: there is no server")),
    watch: () => Promise.reject(new Error("Cannot answer: there is no server")),
  });
  const parts = { client, clock: systemClock, log: silentLog, signal: stop.signal };
  const informers = createInformers(parts);
  const random = seededRandom(1);
  const controllers = allControllers({
    ...parts,
    informers,
    random,
    rootCa: "",
    signCertificate: () => "",
    ipam: { clusterCidr: "10.244.0.0/16" },
  });
  stop.abort();
  assertOneWriter(controllers);
  const readme = readFileSync(join(import.meta.dirname, "README.md"), "utf8");
  const table = ownershipTable(controllers);
  ok(readme.includes(table), `README.md must contain this table:\n\n${table}\n`);
});
