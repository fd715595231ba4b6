import { equal } from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import type { ServiceRule } from "#network/datapath.ts";
import { parseRange } from "#network/ip-range.ts";
import { compileService, joinServices } from "#network/nftables/compile-services.ts";
import { compileServices } from "#network/nftables/nftables-datapath.ts";
import { diffRulesets } from "#network/nftables/ruleset.ts";

const ranges = {
  podCidr: "10.244.0.0/24",
  clusterPodCidr: "10.244.0.0/16",
  serviceCidr: "10.96.0.0/16",
};
const a = { ip: "10.244.0.2", port: 8080 };
const b = { ip: "10.244.0.3", port: 8080 };

const plain: ServiceRule = {
  name: "default/web:http",
  protocol: "TCP",
  clusterIps: ["10.96.0.80", "fd00::80"],
  port: 80,
  nodePort: 30_080,
  externalIps: ["198.51.100.7"],
  endpoints: [a, b],
};
const sticky: ServiceRule = {
  ...plain,
  name: "default/sticky:http",
  clusterIps: ["10.96.0.81"],
  nodePort: 30_081,
  externalIps: [],
  affinitySeconds: 10_800,
};
const single: ServiceRule = {
  name: "kube-system/kube-dns:dns",
  protocol: "UDP",
  clusterIps: ["10.96.0.10"],
  port: 53,
  externalIps: [],
  endpoints: [{ ip: "10.244.0.1", port: 40_053 }],
};
const empty: ServiceRule = {
  ...plain,
  name: "default/empty:http",
  nodePort: 30_082,
  endpoints: [],
};
const elsewhere: ServiceRule = {
  ...single,
  name: 'default/kubernetes:"https; }',
  protocol: "TCP",
  clusterIps: ["10.96.0.1"],
  port: 443,
  endpoints: [{ ip: "192.0.2.1", port: 6443 }],
};

test("compileServices() gives the golden table", () => {
  const text = compileServices("kogge_1", ranges, [plain, sticky, single, empty, elsewhere]);
  equal(text, golden("table"));
});

test("diffRulesets() sends only what changed", () => {
  const before = rulesetOf([plain, sticky, single, empty]);
  const after = rulesetOf([
    { ...plain, endpoints: [b] },
    { ...sticky, endpoints: [b, { ip: "10.244.0.4", port: 8080 }] },
    single,
    elsewhere,
  ]);
  equal(diffRulesets("kogge_1", before, after), golden("change"));
  equal(diffRulesets("kogge_1", after, after), "");
});

function rulesetOf(rules: readonly ServiceRule[]) {
  const podRange = parseRange(ranges.podCidr);
  return joinServices(rules, (rule) => compileService(rule, podRange));
}

function golden(name: string): string {
  return readFileSync(new URL(`golden/${name}.nft`, import.meta.url), "utf8");
}
