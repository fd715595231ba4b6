import { deepEqual, equal, rejects } from "node:assert/strict";
import { test } from "node:test";
import type { Service } from "#api/generated/types.ts";
import { nameOf } from "#api/meta.ts";
import { ipAddresses, serviceCIDRs, services } from "#api/resources.ts";
import { isWithin } from "#controllers/service-cidr/is-within.ts";
import { startCluster } from "#controllers/started-cluster.test.ts";

const namespace = "default";

const service = (name: string, clusterIP: string): Service => ({
  apiVersion: "v1",
  kind: "Service",
  metadata: { name, namespace },
  spec: { clusterIP, selector: { app: name }, ports: [{ port: 80 }] },
});

test("a ServiceCIDR widens where services' addresses come from and goes when none of it is in use", async () => {
  await using cluster = await startCluster(0);
  const { client, informers, until } = cluster;
  const cidrs = informers.of(serviceCIDRs);
  const addresses = informers.of(ipAddresses);
  const isReady = (name: string): string | undefined =>
    cidrs.get({ name })?.status?.conditions?.find(({ type }) => type === "Ready")?.status;
  await until(() => isReady("kubernetes") === "True");
  await rejects(client.create(services, service("early", "10.97.0.5")), /does not match/);
  await client.create(serviceCIDRs, {
    apiVersion: "networking.k8s.io/v1",
    kind: "ServiceCIDR",
    metadata: { name: "more" },
    spec: { cidrs: ["10.97.0.0/28"] },
  });
  await until(() => isReady("more") === "True");
  await client.create(ipAddresses, {
    apiVersion: "networking.k8s.io/v1",
    kind: "IPAddress",
    metadata: { name: "10.97.0.7" },
    spec: { parentRef: { group: "example.org", resource: "gateways", name: "edge" } },
  });
  await rejects(client.create(services, service("taken", "10.97.0.7")), /already allocated/);
  await client.delete(ipAddresses, { name: "10.97.0.7" });
  await client.create(services, service("web", "10.97.0.5"));
  await until(() => addresses.get({ name: "10.97.0.5" }) !== undefined);
  deepEqual(addresses.get({ name: "10.97.0.5" })?.spec?.parentRef, {
    resource: "services",
    namespace,
    name: "web",
  });
  await client.delete(serviceCIDRs, { name: "more" });
  await until(() => isReady("more") === "False");
  await rejects(client.create(services, service("late", "10.97.0.6")), /does not match/);
  await client.delete(services, { name: "web", namespace });
  await until(() => cidrs.get({ name: "more" }) === undefined);
  await until(() => Array.from(addresses.list(), nameOf).join() === "10.96.0.1");
});

test("isWithin() compares addresses of both families bit by bit", () => {
  const cases = [
    ["10.0.0.1", "10.0.0.0/8"],
    ["11.0.0.1", "10.0.0.0/8"],
    ["10.0.0.17", "10.0.0.16/28"],
    ["10.0.0.33", "10.0.0.16/28"],
    ["fd00::5", "fd00::/64"],
    ["fd00:0:0:1::5", "fd00::/64"],
    ["10.0.0.1", "fd00::/8"],
  ] as const;
  deepEqual(
    cases.map(([address, range]) => isWithin(address, range)),
    [true, false, true, false, true, false, false],
  );
  equal(isWithin("nonsense", "10.0.0.0/8"), false);
});
