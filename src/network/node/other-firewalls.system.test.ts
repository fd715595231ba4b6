import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import { silentLog } from "#base/log.ts";
import { addresses, openDatapathTestbed, testbedRanges } from "#network/datapath-testbed.ts";
import { forgetPods, letPodsPass } from "#network/node/other-firewalls.ts";
import { missing } from "#test/needs.ts";

const { clusterPodCidr } = testbedRanges;

test(
  "letPodsPass() lets pods through a firewall that drops what is forwarded, until forgetPods()",
  { skip: missing("linux", "root", "nft", "cni") },
  async () => {
    await using testbed = await openDatapathTestbed();
    const { run } = testbed;
    const options = { clusterPodCidr, table: "kogge_test", run, log: silentLog };
    await letPodsPass(options);
    equal(await run("nft", ["list", "tables"]), "");

    await run("iptables", ["-P", "FORWARD", "DROP"]);
    const before = await run("nft", ["list", "ruleset"]);
    const b = { ip: addresses.b, port: 8080 };
    deepEqual(await testbed.ask("a", b), ["TIMEOUT"]);
    await letPodsPass(options);
    await letPodsPass(options);
    deepEqual(await testbed.ask("a", b), [`b ${addresses.a}`]);
    const rules = await run("iptables", ["-S", "FORWARD"]);
    equal(rules.trim().split("\n").length, 3);
    await forgetPods("kogge_test", run);
    equal(await run("nft", ["list", "ruleset"]), before);
  },
);
