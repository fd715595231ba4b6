import { deepEqual, equal, match, notEqual, ok } from "node:assert/strict";
import { test } from "node:test";
import type { Datapath, ServiceRule } from "#network/datapath.ts";
import {
  addresses,
  openDatapathTestbed,
  type DatapathTestbed,
  type Place,
  type Question,
} from "#network/datapath-testbed.ts";

export interface ConformanceOptions {
  /** Why the suite cannot run here. */
  readonly skip: string | false;
  /** Makes the datapath of the test bed's node; called once for each test. */
  readonly open: (testbed: DatapathTestbed) => Promise<Datapath>;
}

/** What every Datapath does, with real packets between network namespaces. Needs root. */
export function datapathConformance(name: string, { skip, open }: ConformanceOptions): void {
  const check = (title: string, act: (bench: Bench) => Promise<void>): void => {
    void test(`${name}: ${title}`, { skip }, async () => {
      await using testbed = await openDatapathTestbed();
      await using datapath = await open(testbed);
      await act({ testbed, datapath });
    });
  };
  check("spreads connections to a cluster IP over the endpoints, from pods and the node", spreads);
  check("leads a pod to itself through its service", hairpins);
  check("serves node ports on all addresses of the node", nodePorts);
  check("serves external IPs", externalIps);
  check("keeps a client at its endpoint, also when others come and go", keepsClients);
  check("refuses at once where there is no endpoint", refuses);
  check("follows endpoints that change and services that go", follows);
  check("ends at the last of many states given in a rush", rushes);
}

interface Bench {
  readonly testbed: DatapathTestbed;
  readonly datapath: Datapath;
}

const clusterIp = "10.96.0.80";
const endpointA = { ip: addresses.a, port: 8080 };
const endpointB = { ip: addresses.b, port: 8080 };

const web: ServiceRule = {
  name: "default/web:http",
  protocol: "TCP",
  clusterIps: [clusterIp],
  port: 80,
  externalIps: [],
  endpoints: [endpointA, endpointB],
};
const webUdp: ServiceRule = { ...web, protocol: "UDP" };
const atWeb: Question = { ip: clusterIp, port: 80 };
const atWebUdp: Question = { ...atWeb, protocol: "UDP" };

async function spreads({ testbed, datapath }: Bench): Promise<void> {
  await datapath.apply([web, webUdp]);
  for (const [from, seenAs] of [
    ["a", [addresses.gateway, addresses.a]],
    ["node", [addresses.gateway]],
  ] as const) {
    for (const question of [atWeb, atWebUdp]) {
      const answers = await testbed.ask(from, { ...question, count: 40 });
      const names = answers.map((answer) => answer.split(" ")[0]);
      equal(answers.length, 40);
      deepEqual(new Set(names), new Set(["a", "b"]));
      for (const answer of answers)
        ok(
          seenAs.some((ip) => answer.endsWith(` ${ip}`)),
          answer,
        );
    }
  }
  // Who asks is hidden only from itself.
  await datapath.apply([{ ...web, endpoints: [endpointB] }]);
  deepEqual(await testbed.ask("a", atWeb), [`b ${addresses.a}`]);
}

async function hairpins({ testbed, datapath }: Bench): Promise<void> {
  const [tcp, udp] = [web, webUdp].map((rule) => ({ ...rule, endpoints: [endpointA] }));
  await datapath.apply([tcp, udp].filter((rule) => rule !== undefined));
  for (const question of [atWeb, atWebUdp]) {
    const answers = await testbed.ask("a", { ...question, count: 10 });
    equal(answers.length, 10);
    for (const answer of answers) match(answer, /^a \d/);
  }
}

async function nodePorts({ testbed, datapath }: Bench): Promise<void> {
  await datapath.apply([{ ...web, nodePort: 30_080, endpoints: [endpointA] }]);
  const cases: readonly (readonly [Place, string, RegExp])[] = [
    ["outside", addresses.node, /^a 192\.0\.2\.99$/],
    ["node", addresses.node, /^a /],
    ["node", "127.0.0.1", /^a /],
    ["b", addresses.node, /^a 10\.244\.0\.3$/],
    ["a", addresses.node, /^a /],
    ["b", addresses.gateway, /^a 10\.244\.0\.3$/],
  ];
  for (const [from, ip, expected] of cases) {
    const [answer = ""] = await testbed.ask(from, { ip, port: 30_080 });
    match(answer, expected, `${from} asks ${ip}`);
  }
  deepEqual(await testbed.ask("node", { ip: addresses.node, port: 30_081 }), ["ECONNREFUSED"]);
}

async function externalIps({ testbed, datapath }: Bench): Promise<void> {
  const ip = "198.51.100.7";
  await datapath.apply([{ ...web, externalIps: [ip], endpoints: [endpointA] }]);
  for (const from of ["outside", "b", "node"] as const) {
    deepEqual(await testbed.ask(from, { ip, port: 80 }), [`a ${addresses[from]}`]);
  }
}

async function keepsClients({ testbed, datapath }: Bench): Promise<void> {
  const places = [endpointA, endpointB].flatMap(({ ip }) => [
    { ip, port: 8080 },
    { ip, port: 8081 },
  ]);
  const rule: ServiceRule = { ...web, affinitySeconds: 600, endpoints: places };
  const ask = async (count: number): Promise<readonly string[]> =>
    (await testbed.ask("outside", { ip: addresses.node, port: 30_080, count })).map(
      (answer) => answer.split(" ")[0] ?? "",
    );
  const withPort = (endpoints: ServiceRule["endpoints"]): ServiceRule => ({
    ...rule,
    nodePort: 30_080,
    endpoints,
  });
  await datapath.apply([withPort([endpointA, endpointB])]);
  const [first = "", ...rest] = await ask(20);
  deepEqual(new Set([first, ...rest]), new Set([first]));
  await datapath.apply([withPort(places)]);
  deepEqual(new Set(await ask(20)), new Set([first]));
  await datapath.apply([withPort(places.filter(({ ip }) => ip !== addresses[first as "a" | "b"]))]);
  const [second = ""] = await ask(1);
  notEqual(second, first);
  await datapath.apply([withPort(places)]);
  deepEqual(new Set(await ask(20)), new Set([second]));
}

async function refuses({ testbed, datapath }: Bench): Promise<void> {
  const ip = "198.51.100.7";
  const [tcp, udp] = [web, webUdp].map((rule) => ({
    ...rule,
    nodePort: 30_080,
    externalIps: [ip],
    endpoints: [],
  }));
  await datapath.apply([tcp, udp].filter((rule) => rule !== undefined));
  const cases: readonly (readonly [Place, Question])[] = [
    ["a", atWeb],
    ["a", atWebUdp],
    ["node", atWeb],
    ["node", atWebUdp],
    ["outside", { ip: addresses.node, port: 30_080 }],
    ["outside", { ip: addresses.node, port: 30_080, protocol: "UDP" }],
    ["a", { ip: addresses.node, port: 30_080 }],
    ["a", { ip, port: 80 }],
    ["outside", { ip, port: 80 }],
    // Neither service nor port is known.
    ["a", { ip: "10.96.99.99", port: 443 }],
    ["node", { ip: clusterIp, port: 81 }],
  ];
  for (const [from, question] of cases) {
    const what = `${from} asks ${JSON.stringify(question)}`;
    deepEqual(await testbed.ask(from, question), ["ECONNREFUSED"], what);
  }
}

async function follows({ testbed, datapath }: Bench): Promise<void> {
  const other: ServiceRule = {
    ...web,
    name: "default/other:http",
    clusterIps: ["10.96.0.81"],
    endpoints: [endpointB],
  };
  const only = (rule: ServiceRule, endpoint: typeof endpointA): ServiceRule => ({
    ...rule,
    endpoints: [endpoint],
  });
  await datapath.apply([only(web, endpointA), only(webUdp, endpointA), other]);
  deepEqual(await testbed.ask("node", { ...atWeb, count: 5 }), Array(5).fill("a 10.244.0.1"));
  const again = await testbed.askAgain("b", atWebUdp, () =>
    datapath.apply([only(web, endpointB), only(webUdp, endpointB), other]),
  );
  deepEqual(
    again.map((answer) => answer.split(" ")[0]),
    ["a", "b"],
  );
  deepEqual(await testbed.ask("node", { ...atWeb, count: 5 }), Array(5).fill("b 10.244.0.1"));
  await datapath.apply([other]);
  deepEqual(await testbed.ask("node", atWeb), ["ECONNREFUSED"]);
  deepEqual(await testbed.ask("node", { ip: "10.96.0.81", port: 80 }), ["b 10.244.0.1"]);
  // The address goes to another service.
  await datapath.apply([{ ...other, clusterIps: [clusterIp] }, only(webUdp, endpointA)]);
  deepEqual(await testbed.ask("node", atWeb), ["b 10.244.0.1"]);
  deepEqual(await testbed.ask("node", atWebUdp), ["a 10.244.0.1"]);
}

async function rushes({ testbed, datapath }: Bench): Promise<void> {
  const states = Array.from({ length: 51 }, (_, index) => [
    { ...web, endpoints: [index % 2 === 0 ? endpointA : endpointB] },
  ]);
  await Promise.all(states.map((state) => datapath.apply(state)));
  deepEqual(await testbed.ask("node", { ...atWeb, count: 5 }), Array(5).fill("a 10.244.0.1"));
}
