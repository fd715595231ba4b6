import { deepEqual } from "node:assert/strict";
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { followResolvConf } from "#network/dns/resolv-conf.ts";
import { createManualClock } from "#reconcile/manual-clock.ts";

test("followResolvConf() reads the servers anew when the file was replaced, at most once a second", async () => {
  const directory = await mkdtemp(join(tmpdir(), "kogge-resolv-"));
  try {
    const file = join(directory, "resolv.conf");
    const clock = createManualClock();
    const servers = followResolvConf(file, clock);
    deepEqual(await servers(), []);
    await writeFile(
      file,
      "# by hand\nsearch example.org\nnameserver 192.0.2.53\n nameserver\tfd00::53\nnameserver nonsense\noptions edns0\n",
    );
    deepEqual(await servers(), []);
    clock.advance(1000);
    deepEqual(await servers(), [
      { host: "192.0.2.53", port: 53 },
      { host: "fd00::53", port: 53 },
    ]);
    await writeFile(`${file}.new`, "nameserver 192.0.2.54\n");
    await rename(`${file}.new`, file);
    clock.advance(1000);
    deepEqual(await servers(), [{ host: "192.0.2.54", port: 53 }]);
  } finally {
    await rm(directory, { recursive: true });
  }
});
