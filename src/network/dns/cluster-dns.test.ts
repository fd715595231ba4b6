import { deepEqual, equal, ok } from "node:assert/strict";
import { createSocket } from "node:dgram";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import dnsPacket, { type Answer, type Packet } from "dns-packet";
import type { EndpointSlice, Service } from "#api/generated/types.ts";
import { endpointSlices, services } from "#api/resources.ts";
import { builtinKinds } from "#api/kinds/builtin-kinds.ts";
import { createApiServer } from "#apiserver/server.ts";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { seededRandom } from "#base/random.ts";
import { createClient } from "#client/api-client.ts";
import { createInformers } from "#client/informers.ts";
import { createInProcessTransport } from "#main/in-process-transport.ts";
import { createClusterDns } from "#network/dns/cluster-dns.ts";
import { ensureDnsService } from "#network/dns/ensure-dns-service.ts";
import { messageReader, withLength } from "#network/dns/tcp-frames.ts";
import type { Upstream } from "#network/dns/resolv-conf.ts";
import { createMemoryStore } from "#storage/memory-store.ts";

const shared = { clock: systemClock, random: seededRandom(1), log: silentLog };
const admin = { name: "admin", groups: ["system:masters", "system:authenticated"] };

test("createClusterDns() answers for services, endpoints and pods as the specification says", async () => {
  await using dns = await openDns();
  const table: readonly (readonly [name: string, type: string, answer: string])[] = [
    ["web.default.svc.cluster.local", "A", "A 10.96.0.50"],
    ["WeB.DeFault.svc.CLUSTER.local", "A", "A 10.96.0.50"],
    ["web.default.svc.cluster.local", "AAAA", "no data"],
    ["web.default.svc.cluster.local", "UNKNOWN_65", "no data"],
    ["nothing.default.svc.cluster.local", "A", "NXDOMAIN"],
    ["web.nowhere.svc.cluster.local", "A", "NXDOMAIN"],
    ["default.svc.cluster.local", "A", "no data"],
    ["nowhere.svc.cluster.local", "A", "NXDOMAIN"],
    ["svc.cluster.local", "A", "no data"],
    ["cluster.local", "A", "no data"],
    ["google.com.default.svc.cluster.local", "A", "NXDOMAIN"],
    ["x.cluster.local", "A", "NXDOMAIN"],
    ["dns-version.cluster.local", "TXT", "TXT 1.1.0"],
    [
      "_http._tcp.web.default.svc.cluster.local",
      "SRV",
      "SRV 0 100 80 web.default.svc.cluster.local + A 10.96.0.50",
    ],
    ["_http._udp.web.default.svc.cluster.local", "SRV", "NXDOMAIN"],
    ["db.default.svc.cluster.local", "A", "A 10.244.0.7, A 10.244.0.8"],
    ["db-0.db.default.svc.cluster.local", "A", "A 10.244.0.7"],
    ["10-244-0-8.db.default.svc.cluster.local", "A", "A 10.244.0.8"],
    ["db-9.db.default.svc.cluster.local", "A", "NXDOMAIN"],
    [
      "_sql._tcp.db.default.svc.cluster.local",
      "SRV",
      "SRV 0 50 5432 10-244-0-8.db.default.svc.cluster.local, SRV 0 50 5432 db-0.db.default.svc.cluster.local + A 10.244.0.7, A 10.244.0.8",
    ],
    ["eager.default.svc.cluster.local", "A", "A 10.244.0.7, A 10.244.0.8, A 10.244.0.9"],
    ["alias.default.svc.cluster.local", "A", "CNAME web.default.svc.cluster.local, A 10.96.0.50"],
    ["away.default.svc.cluster.local", "A", "CNAME www.example.org, A 192.0.2.80"],
    ["away.default.svc.cluster.local", "MX", "CNAME www.example.org"],
    ["1-2-3-4.default.pod.cluster.local", "A", "A 1.2.3.4"],
    ["1-2-3-4.nowhere.pod.cluster.local", "A", "NXDOMAIN"],
    ["1-2-3.default.pod.cluster.local", "A", "NXDOMAIN"],
    ["50.0.96.10.in-addr.arpa", "PTR", "PTR web.default.svc.cluster.local"],
    ["99.0.96.10.in-addr.arpa", "PTR", "NXDOMAIN"],
    ["10.0.96.10.in-addr.arpa", "PTR", "PTR kube-dns.kube-system.svc.cluster.local"],
    [
      "9.0.244.10.in-addr.arpa",
      "PTR",
      "PTR 10-244-0-9.db.default.svc.cluster.local, PTR 10-244-0-9.eager.default.svc.cluster.local",
    ],
    ["www.example.org", "A", "A 192.0.2.80"],
    ["missing.example.org", "A", "NXDOMAIN"],
  ];
  const answers = await Promise.all(table.map(([name, type]) => dns.ask(name, type)));
  deepEqual(
    answers.map((answer, index) => [table[index]?.[0], table[index]?.[1], summary(answer)]),
    table,
  );
});

test("createClusterDns() lets absence be remembered for 5 seconds and presence for 30", async () => {
  await using dns = await openDns();
  const absent = await dns.ask("nothing.default.svc.cluster.local", "A");
  const authority = absent.authorities?.[0];
  ok(authority?.type === "SOA");
  deepEqual([authority.name, authority.ttl, authority.data.minimum], ["cluster.local", 5, 5]);
  const present = await dns.ask("web.default.svc.cluster.local", "A");
  deepEqual(
    present.answers?.map((answer) => "ttl" in answer && answer.ttl),
    [30],
  );
});

test("createClusterDns() cuts what does not fit UDP and gives it whole over TCP", async () => {
  await using dns = await openDns();
  const name = "crowd.default.svc.cluster.local";
  const cut = await dns.ask(name, "A");
  deepEqual([cut.flag_tc, cut.answers?.length], [true, 0]);
  const whole = await dns.askTcp(name, "A");
  deepEqual([whole.flag_tc, whole.answers?.length], [false, 100]);
});

test("createClusterDns() asks an upstream once for equal questions and lowers the times it remembered", async () => {
  await using dns = await openDns();
  const first = await Promise.all([
    dns.ask("www.example.org", "A"),
    dns.ask("WWW.example.org", "A"),
  ]);
  const second = await dns.ask("www.example.org", "A");
  deepEqual(
    [...first, second].map((answer) => [answer.questions?.[0]?.name, summary(answer)]),
    [
      ["www.example.org", "A 192.0.2.80"],
      ["WWW.example.org", "A 192.0.2.80"],
      ["www.example.org", "A 192.0.2.80"],
    ],
  );
  deepEqual(dns.asked, ["www.example.org udp"]);
});

test("createClusterDns() asks an upstream again over TCP when its answer was cut", async () => {
  await using dns = await openDns();
  equal(summary(await dns.askTcp("big.example.org", "A")), "A 192.0.2.81");
  deepEqual(dns.asked, ["big.example.org udp", "big.example.org tcp"]);
});

test("createClusterDns() passes over an upstream that is not there and says SERVFAIL without any", async () => {
  const gone = createSocket("udp4");
  gone.bind(0, "127.0.0.1");
  await once(gone, "listening");
  const { port } = gone.address();
  gone.close();
  const dead = { host: "127.0.0.1", port };
  {
    await using dns = await openDns((working) => [dead, working]);
    equal(summary(await dns.ask("www.example.org", "A")), "A 192.0.2.80");
  }
  await using dns = await openDns(() => []);
  equal(summary(await dns.ask("www.example.org", "A")), "SERVFAIL");
});

test("createClusterDns() survives packets that are none", async () => {
  await using dns = await openDns();
  const random = seededRandom(7);
  const query = encodeQuestion("web.default.svc.cluster.local", "A");
  for (let count = 0; count < 3000; count += 1) {
    const bytes =
      count % 2 === 0
        ? Buffer.from(query)
        : Buffer.alloc(Math.floor(random() * 80), Math.floor(random() * 256));
    for (let changes = 0; changes < 4 && bytes.length > 0; changes += 1) {
      bytes[Math.floor(random() * bytes.length)] = Math.floor(random() * 256);
    }
    // What comes back must not look like the answer to the question below.
    if (bytes.length > 0) bytes[0] = 0xff;
    dns.throwAt(bytes);
  }
  await dns.throwTcp(Buffer.from([0, 3, 1, 2, 3, 255]));
  equal(summary(await dns.ask("web.default.svc.cluster.local", "A")), "A 10.96.0.50");
});

test("ensureDnsService() follows a server that moved and leaves another's service alone", async () => {
  await using dns = await openDns();
  const { client } = dns;
  const options = { client, clusterIp: "10.96.0.10", log: silentLog };
  await ensureDnsService({ ...options, endpoint: { ip: "10.244.0.1", port: 4000 } });
  await ensureDnsService({ ...options, endpoint: { ip: "10.244.0.1", port: 4001 } });
  const at = { namespace: "kube-system", name: "kube-dns" };
  const slice = await client.get(endpointSlices, { ...at, name: "kube-dns-kogge" });
  deepEqual(
    slice.ports?.map(({ port, protocol }) => [port, protocol]),
    [
      [4001, "UDP"],
      [4001, "TCP"],
    ],
  );
  await client.patch(services, at, {
    kind: "merge",
    value: { spec: { selector: { app: "coredns" } } },
  });
  await ensureDnsService({ ...options, endpoint: { ip: "10.244.0.1", port: 4002 } });
  const after = await client.get(endpointSlices, { ...at, name: "kube-dns-kogge" });
  equal(after.ports?.[0]?.port, 4001);
});

async function openDns(upstreams: (working: Upstream) => readonly Upstream[] = (one) => [one]) {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(
    await createApiServer({
      ...shared,
      store: stack.use(createMemoryStore()),
      kinds: builtinKinds(),
      serviceNetwork: { serviceCidr: "10.96.0.0/16" },
    }),
  );
  const client = createClient(createInProcessTransport(server, admin));
  const stop = new AbortController();
  stack.defer(() => stop.abort());
  for (const service of someServices) await client.create(services, service);
  for (const slice of someSlices) await client.create(endpointSlices, slice);
  await ensureDnsService({
    client,
    clusterIp: "10.96.0.10",
    endpoint: { ip: "10.244.0.1", port: 53 },
    log: silentLog,
  });
  const asked: string[] = [];
  const upstream = stack.use(await openUpstream(asked));
  const dns = stack.use(
    await createClusterDns({
      ...shared,
      informers: createInformers({ ...shared, client, signal: stop.signal }),
      clusterDomain: "cluster.local",
      ranges: ["10.244.0.0/16", "10.96.0.0/16"],
      listen: { host: "127.0.0.1", port: 0 },
      upstream: { servers: upstreams(upstream) },
      ownAddresses: [],
    }),
  );
  const socket = createSocket("udp4");
  stack.defer(() => void socket.close());
  const waiting = new Map<number, (packet: ReturnType<typeof dnsPacket.decode>) => void>();
  socket.on("message", (bytes) => waiting.get(bytes.readUInt16BE(0))?.(dnsPacket.decode(bytes)));
  let nextId = 1;
  const opened = stack.move();
  return {
    client,
    asked,
    ask: (name: string, type: string) => {
      const id = nextId++;
      const { promise, resolve } = Promise.withResolvers<ReturnType<typeof dnsPacket.decode>>();
      waiting.set(id, resolve);
      socket.send(encodeQuestion(name, type, id), dns.port, dns.host);
      return promise;
    },
    askTcp: (name: string, type: string) => askTcp(dns, encodeQuestion(name, type)),
    throwAt: (bytes: Buffer) => socket.send(bytes, dns.port, dns.host),
    throwTcp: async (bytes: Buffer) => {
      const connection = connect(dns.port, dns.host);
      connection.end(bytes);
      connection.resume();
      await once(connection, "close");
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function askTcp(at: { host: string; port: number }, question: Buffer) {
  const connection = connect(at.port, at.host);
  const { promise, resolve } = Promise.withResolvers<Buffer>();
  connection.on("data", messageReader(resolve));
  // In two pieces, as networks do.
  const frame = withLength(question);
  connection.write(frame.subarray(0, 5));
  connection.write(frame.subarray(5));
  const answer = await promise;
  connection.destroy();
  return dnsPacket.decode(answer);
}

/** A server for `example.org` that writes down what it is asked. */
async function openUpstream(asked: string[]) {
  const udp = createSocket("udp4");
  udp.bind(0, "127.0.0.1");
  await once(udp, "listening");
  const { port } = udp.address();
  udp.on("message", (bytes, from) => {
    const answer = upstreamAnswer(bytes, "udp", asked);
    udp.send(answer, from.port, from.address);
  });
  const tcp = createServer((connection) => {
    const read = messageReader((bytes) =>
      connection.end(withLength(upstreamAnswer(bytes, "tcp", asked))),
    );
    connection.on("data", read);
  });
  tcp.listen(port, "127.0.0.1");
  await once(tcp, "listening");
  return {
    host: "127.0.0.1",
    port,
    [Symbol.asyncDispose]: async () => {
      udp.close();
      tcp.close();
    },
  };
}

function upstreamAnswer(bytes: Buffer, transport: string, asked: string[]): Buffer {
  const packet = dnsPacket.decode(bytes);
  const name = packet.questions?.[0]?.name ?? "";
  asked.push(`${name.toLowerCase()} ${transport}`);
  const addresses = new Map([
    ["www.example.org", "192.0.2.80"],
    ["big.example.org", "192.0.2.81"],
  ]);
  const data = addresses.get(name.toLowerCase());
  const cut = name === "big.example.org" && transport === "udp";
  const answers: Answer[] = data === undefined || cut ? [] : [{ name, type: "A", ttl: 60, data }];
  const answer: Packet = {
    type: "response",
    id: packet.id ?? 0,
    flags: (data === undefined ? 3 : 0) | (cut ? dnsPacket.TRUNCATED_RESPONSE : 0),
    questions: packet.questions ?? [],
    answers,
  };
  return dnsPacket.encode(answer);
}

function encodeQuestion(name: string, type: string, id = 1): Buffer {
  const questions = [{ name, type: type as dnsPacket.RecordType }];
  const bytes = dnsPacket.encode({ type: "query", id, flags: 0x100, questions });
  if (type.startsWith("UNKNOWN_")) bytes.writeUInt16BE(Number(type.slice(8)), bytes.length - 4);
  return bytes;
}

function summary(packet: ReturnType<typeof dnsPacket.decode>): string {
  const { rcode } = packet as unknown as { rcode: string };
  if (rcode !== "NOERROR") return rcode;
  const answers = (packet.answers ?? []).map(recordText).toSorted(byKind);
  if (answers.length === 0) return "no data";
  const additionals = (packet.additionals ?? []).map(recordText).toSorted();
  return [answers.join(", "), ...(additionals.length > 0 ? [additionals.join(", ")] : [])].join(
    " + ",
  );
}

/** Aliases first, as they stand in the answer. */
function byKind(one: string, other: string): number {
  const rank = (text: string) => (text.startsWith("CNAME") ? 0 : 1);
  return rank(one) - rank(other) || (one < other ? -1 : 1);
}

function recordText(record: Answer): string {
  if (record.type === "SRV") {
    const { priority, weight, port, target } = record.data;
    return `SRV ${priority} ${weight} ${port} ${target}`;
  }
  return `${record.type} ${"data" in record ? (record.data as string | Buffer[]).toString() : ""}`;
}

function service(name: string, spec: Service["spec"]): Service {
  return { apiVersion: "v1", kind: "Service", metadata: { namespace: "default", name }, spec };
}

const someServices: readonly Service[] = [
  service("web", { clusterIP: "10.96.0.50", ports: [{ name: "http", port: 80 }] }),
  service("db", { clusterIP: "None", ports: [{ name: "sql", port: 5432 }] }),
  service("eager", {
    clusterIP: "None",
    publishNotReadyAddresses: true,
    ports: [{ name: "sql", port: 5432 }],
  }),
  service("crowd", { clusterIP: "None", ports: [{ port: 80 }] }),
  service("alias", { type: "ExternalName", externalName: "web.default.svc.cluster.local" }),
  service("away", { type: "ExternalName", externalName: "www.example.org" }),
];

const someEndpoints: EndpointSlice["endpoints"] = [
  { addresses: ["10.244.0.7"], hostname: "db-0" },
  { addresses: ["10.244.0.8"], conditions: { ready: true } },
  { addresses: ["10.244.0.9"], conditions: { ready: false } },
];

const someSlices: readonly EndpointSlice[] = [
  slice("db", someEndpoints),
  slice("eager", someEndpoints),
  slice(
    "crowd",
    Array.from({ length: 100 }, (_, index) => ({ addresses: [`10.244.1.${index}`] })),
  ),
];

function slice(name: string, endpoints: EndpointSlice["endpoints"]): EndpointSlice {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: {
      namespace: "default",
      name: `${name}-1`,
      labels: { "kubernetes.io/service-name": name },
    },
    addressType: "IPv4",
    endpoints: endpoints ?? [],
    ports: [{ name: "sql", port: 5432, protocol: "TCP" }],
  };
}
