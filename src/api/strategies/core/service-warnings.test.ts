import assert from "node:assert/strict";
import { test } from "node:test";
import { serviceWarnings } from "#api/strategies/core/service-warnings.ts";

test("serviceWarnings() names every field that is ignored or going", () => {
  const spec = { clusterIP: "None", loadBalancerIP: "1.2.3.4", externalIPs: ["1.2.3.4"] };
  assert.deepEqual(serviceWarnings({ spec: { ...spec, sessionAffinity: "ClientIP" } }), [
    "spec.loadBalancerIP is ignored for headless services",
    "spec.externalIPs is ignored for headless services",
    "spec.SessionAffinity is ignored for headless services",
  ]);
  const close = { type: "ClusterIP", externalName: "a.b", trafficDistribution: "PreferClose" };
  assert.deepEqual(serviceWarnings({ spec: { ...close, externalIPs: ["1.2.3.4"] } }), [
    "spec.externalIPs is deprecated and may no longer be implemented in some clusters",
    'spec.externalName is ignored when spec.type is not "ExternalName"',
    'spec.trafficDistribution: "PreferClose" is deprecated; use "PreferSameZone"',
  ]);
  const plain = { type: "LoadBalancer", loadBalancerIP: "1.2.3.4", sessionAffinity: "None" };
  assert.deepEqual(serviceWarnings({ spec: plain }), []);
});
