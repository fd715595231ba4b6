import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { createTestServer, type TestServer } from "#test/api-server.ts";

const services = "/api/v1/namespaces/default/services";

function create(api: TestServer, name: string, spec: JsonObject) {
  const body = { metadata: { name }, spec: { ports: [{ port: 80 }], ...spec } };
  return api.send("POST", services, { body });
}

function specOf(body: JsonObject): JsonObject {
  return body.spec as JsonObject;
}

test("every service gets an address of its own, until the range is full", async () => {
  await using api = await createTestServer({ serviceNetwork: { serviceCidr: "10.0.0.0/29" } });
  const names = ["a", "b", "c", "d", "e"];
  const answers = await Promise.all(names.map((name) => create(api, name, {})));
  const addresses = answers.map(({ body }) => specOf(body).clusterIP as string);
  assert.deepEqual(
    addresses.toSorted(),
    [2, 3, 4, 5, 6].map((last) => `10.0.0.${last}`),
  );
  const full = await create(api, "f", {});
  assert.equal(
    full.body.message,
    'Internal error occurred: failed to allocate a serviceIP for Service "f": range is full',
  );
  await api.send("DELETE", `${services}/c`);
  assert.equal(specOf((await create(api, "f", {})).body).clusterIP, addresses[2]);
});

test("what is taken stays taken after a restart, and is refused in upstream's words", async () => {
  await using first = await createTestServer();
  await create(first, "a", {
    type: "NodePort",
    clusterIP: "10.96.0.9",
    ports: [{ port: 80, nodePort: 30_001 }],
  });
  await using api = await createTestServer({ store: first.store });
  const address = await create(api, "b", { clusterIP: "10.96.0.9" });
  assert.equal(
    address.body.message,
    'Service "b" is invalid: spec.clusterIPs: Invalid value: ["10.96.0.9"]: failed to allocate IP 10.96.0.9: provided IP is already allocated',
  );
  const outside = await create(api, "b", { clusterIP: "10.97.0.9" });
  assert.match(
    String(outside.body.message as string),
    /failed to allocate IP 10.97.0.9: the provided network does not match the current range$/,
  );
  const edge = await create(api, "b", { clusterIP: "10.96.0.255" });
  assert.match(
    String(edge.body.message as string),
    /the provided IP \(10.96.0.255\) is not in the valid range. The range of valid IPs is 10.96.0.0\/24$/,
  );
  const port = await create(api, "b", {
    type: "NodePort",
    ports: [{ port: 80, nodePort: 30_001 }],
  });
  assert.equal(
    port.body.message,
    'Service "b" is invalid: spec.ports[0].nodePort: Invalid value: 30001: provided port is already allocated',
  );
});

test("a refused service takes nothing with it", async () => {
  await using api = await createTestServer({
    serviceNetwork: { serviceCidr: "10.0.0.0/29", nodePorts: { from: 30_000, to: 30_000 } },
  });
  for (let count = 0; count < 10; count += 1) {
    await create(api, "a", { type: "NodePort", ports: [{ port: 80, nodePort: 40_000 }] });
    await api.send("POST", `${services}?dryRun=All`, {
      body: { metadata: { name: "dry" }, spec: { type: "NodePort", ports: [{ port: 80 }] } },
    });
  }
  const { body } = await create(api, "a", { type: "NodePort" });
  assert.deepEqual((specOf(body).ports as JsonObject[])[0]?.nodePort, 30_000);
});

test("an update keeps the address and the port; a service that becomes internal gives its port back", async () => {
  await using api = await createTestServer();
  const made = (await create(api, "a", { type: "NodePort" })).body;
  const spec = { type: "NodePort", ports: [{ port: 80 }], selector: { x: "y" } };
  const updated = await api.send("PUT", `${services}/a`, {
    body: { metadata: { name: "a" }, spec },
  });
  assert.deepEqual(
    [specOf(updated.body).clusterIP, specOf(updated.body).ports],
    [specOf(made).clusterIP, specOf(made).ports],
  );
  const internal = await api.send("PUT", `${services}/a`, {
    body: { metadata: { name: "a" }, spec: { ports: [{ port: 80 }] } },
  });
  const [port] = specOf(internal.body).ports as JsonObject[];
  assert.equal(port?.nodePort, undefined);
});

const families: readonly [what: string, spec: JsonObject, message: string][] = [
  [
    "two families",
    { ipFamilyPolicy: "RequireDualStack" },
    'spec.ipFamilyPolicy: Invalid value: "RequireDualStack": this cluster is not configured for dual-stack services',
  ],
  [
    "the other family",
    { ipFamilies: ["IPv6"] },
    'spec.ipFamilies[0]: Invalid value: "IPv6": not configured on this cluster',
  ],
  [
    "an address of the other family",
    { clusterIP: "fd00::1" },
    'spec.clusterIPs[0]: Invalid value: ["fd00::1"]: IPv6 is not configured on this cluster',
  ],
  [
    "two families at once",
    { ipFamilies: ["IPv4", "IPv6"] },
    "spec.ipFamilyPolicy: Invalid value: \"SingleStack\": must be 'RequireDualStack' or 'PreferDualStack' when multiple IP families are specified",
  ],
];

for (const [what, spec, message] of families) {
  test(`a service of ${what} is refused in upstream's words`, async () => {
    await using api = await createTestServer();
    const { body } = await create(api, "a", spec);
    assert.equal(body.message, `Service "a" is invalid: ${message}`);
  });
}

test("a headless service without a selector is of both families, others of one", async () => {
  await using api = await createTestServer();
  const specs: JsonObject[] = [
    { clusterIP: "None" },
    { clusterIP: "None", selector: { a: "b" } },
    { ipFamilyPolicy: "PreferDualStack" },
  ];
  const settled = [];
  for (const [index, spec] of specs.entries()) {
    const { ipFamilyPolicy, ipFamilies } = specOf((await create(api, `s${index}`, spec)).body);
    settled.push([ipFamilyPolicy, ipFamilies]);
  }
  assert.deepEqual(settled, [
    ["RequireDualStack", ["IPv4", "IPv6"]],
    ["SingleStack", ["IPv4"]],
    ["PreferDualStack", ["IPv4"]],
  ]);
});

test("a port of two protocols has one node port; a load balancer without gets what it asks for", async () => {
  await using api = await createTestServer();
  const both = ["TCP", "UDP"].map((protocol) => ({
    name: protocol.toLowerCase(),
    port: 53,
    protocol,
  }));
  const dns = await create(api, "dns", { type: "NodePort", ports: both });
  const [tcp, udp] = (specOf(dns.body).ports as JsonObject[]).map((port) => port.nodePort);
  assert.deepEqual([typeof tcp, udp], ["number", tcp]);
  const ports: JsonObject[] = [
    { name: "a", port: 80 },
    { name: "b", port: 81, nodePort: tcp === 30_002 ? 30_003 : 30_002 },
  ];
  const balancer = { type: "LoadBalancer", allocateLoadBalancerNodePorts: false, ports };
  const { body } = await create(api, "lb", balancer);
  assert.deepEqual(
    (specOf(body).ports as JsonObject[]).map((port) => port.nodePort),
    [undefined, ports[1]?.nodePort],
  );
});
