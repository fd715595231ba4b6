import { deepEqual, equal, throws } from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { CpuManager } from "#agent/cpus/cpu-manager.ts";
import { formatCpus, parseCpus } from "#agent/cpus/cpu-set.ts";
import { usualSettings } from "#agent/node/node-settings.ts";
import type { Pod } from "#api/generated/types.ts";

function podOf(name: string, ...cpus: string[]): Pod {
  const containers = cpus.map((cpu, index) => {
    const limits = { cpu, memory: "1Gi" };
    return { name: `c${index}`, image: "i", resources: { limits, requests: limits } };
  });
  return { apiVersion: "v1", kind: "Pod", metadata: { uid: name }, spec: { containers } };
}

test("parseCpus() and formatCpus() are each other's inverse", () => {
  deepEqual(parseCpus("0-2,5,7-8\n"), [0, 1, 2, 5, 7, 8]);
  equal(formatCpus([8, 5, 0, 2, 1, 7, 1]), "0-2,5,7-8");
  deepEqual(parseCpus(""), []);
  throws(() => parseCpus("3-1"), /Cannot read the list of processors "3-1"/);
});

test("CpuManager gives whole processors to who asks for them, and keeps it over a restart", () => {
  const folder = mkdtempSync(join(tmpdir(), "kogge-cpus-"));
  const cores = [
    [0, 4],
    [1, 5],
    [2, 6],
    [3, 7],
  ];
  const settings = { ...usualSettings, reservedSystemCPUs: "0,4" };
  const open = () => new CpuManager({ cores, settings, stateFile: join(folder, "state") });
  try {
    let manager = open();
    manager.allocate(podOf("three", "2", "1", "500m"));
    const share = (uid: string, name: string) => manager.shareOf(uid, name).cpus;
    deepEqual(
      [share("three", "c0"), share("three", "c1"), share("three", "c2"), share("other", "c0")],
      ["1,5", "2", "0,3-4,6-7", "0,3-4,6-7"],
    );
    throws(() => manager.allocate(podOf("many", "4")), {
      message: "not enough cpus available to satisfy request: requested=4, available=3",
    });
    manager = open();
    equal(share("three", "c0"), "1,5");
    manager.allocate(podOf("two", "2"));
    equal(share("two", "c0"), "3,7");
    manager.keepOnly(new Set(["two"]));
    equal(share("three", "c0"), "0-2,4-6");
    equal(manager.release("two"), true);
    equal(manager.release("two"), false);
  } finally {
    rmSync(folder, { recursive: true });
  }
  throws(() => new CpuManager({ cores, settings: usualSettings, stateFile: join(folder, "s") }), {
    message:
      "the static policy requires systemreserved.cpu + kubereserved.cpu to be greater than zero",
  });
});
