import { deepEqual } from "node:assert/strict";
import { mkdtemp, readdir, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { writeCniConfig } from "#network/cni/cni-config.ts";

test("writeCniConfig() writes one list with a routed cable for each pod", async () => {
  const directory = await mkdtemp(join(tmpdir(), "kogge-cni-"));
  try {
    const conf = join(directory, "conf");
    const options = { name: "kogge-1", podCidr: "10.244.3.0/24", mtu: 1400, ipamDir: "/data/ipam" };
    await writeCniConfig(conf, options);
    await writeCniConfig(conf, options);
    deepEqual(await readdir(conf), ["10-kogge.conflist"]);
    deepEqual(JSON.parse(await readFile(join(conf, "10-kogge.conflist"), "utf8")), {
      cniVersion: "1.0.0",
      name: "kogge-1",
      plugins: [
        {
          type: "ptp",
          ipMasq: false,
          mtu: 1400,
          ipam: {
            type: "host-local",
            dataDir: "/data/ipam",
            ranges: [[{ subnet: "10.244.3.0/24", gateway: "10.244.3.1" }]],
            routes: [{ dst: "0.0.0.0/0" }],
          },
        },
      ],
    });
  } finally {
    await rm(directory, { recursive: true });
  }
});
