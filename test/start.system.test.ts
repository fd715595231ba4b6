import { deepEqual, equal, match, ok } from "node:assert/strict";
import { existsSync, rmSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { test } from "node:test";
import { run } from "#test/clients.ts";
import { koggeFor } from "#test/kogge-command.ts";
import { missing } from "#test/needs.ts";
import { temporaryFolder } from "#test/temporary.ts";

const skip = missing("root", "containerd", "cni", "nft", "buildah", "mmdebstrap");
const start = join(import.meta.dirname, "../tools/start.mjs");
/** Where the sample application's Redis keeps its data on the machine. */
const redisData = "/var/lib/guestbook-redis";

test(
  "npm start brings the guestbook up, and again in seconds",
  { skip, timeout: 900_000 },
  async () => {
    using folder = temporaryFolder("start");
    const dataDir = join(folder.path, "data");
    const hadData = existsSync(redisData);
    await using kogge = koggeFor(dataDir);
    try {
      const first = await npmStart(dataDir);
      const url = /Open (http:\S+)/.exec(first)?.[1] ?? "";
      match(first, new RegExp(`export KUBECONFIG=${dataDir}/kubeconfig`));
      match(await (await fetch(url)).text(), /<title>Guestbook on Kogge<\/title>/);
      const signed = await fetch(`${url}api/entries`, {
        method: "POST",
        body: JSON.stringify({ name: "Ada", message: "Moin" }),
      });
      equal(signed.status, 200);
      const refused = await fetch(`${url}api/entries`, { method: "POST", body: "{}" });
      deepEqual([refused.status, await refused.json()], [400, { error: "The entry needs a name" }]);
      const images = await kogge("image list");
      deepEqual(
        ["redis", "api", "web"].filter((part) => !images.includes(`localhost/guestbook/${part}:1`)),
        [],
      );

      const again = await npmStart(dataDir);
      ok(!again.includes("Giving "), "images the node has are not given again");
      const listed = (await (await fetch(`${url}api/entries`)).json()) as {
        entries: { name: string }[];
      };
      equal(listed.entries[0]?.name, "Ada");
    } finally {
      if (!hadData) rmSync(redisData, { recursive: true, force: true });
    }
  },
);

async function npmStart(dataDir: string): Promise<string> {
  const outcome = await run(process.execPath, [start], {
    env: { KOGGE_DATA_DIR: dataDir },
    timeoutMs: 600_000,
  });
  equal(outcome.code, 0, outcome.stderr + outcome.stdout);
  return outcome.stdout;
}
