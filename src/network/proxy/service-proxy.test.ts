import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type { EndpointSlice } from "#api/generated/types.ts";
import type { KubeObject } from "#api/meta.ts";
import { endpointSlices, services } from "#api/resources.ts";
import { builtinKinds } from "#api/kinds/builtin-kinds.ts";
import { createApiServer } from "#apiserver/server.ts";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { seededRandom } from "#base/random.ts";
import { createClient } from "#client/api-client.ts";
import type { Informer } from "#client/informer.ts";
import { createInformers } from "#client/informers.ts";
import { createInProcessTransport } from "#main/in-process-transport.ts";
import type { Datapath } from "#network/datapath.ts";
import { createServiceProxy } from "#network/proxy/service-proxy.ts";
import { createSimulatedDatapath } from "#network/simulated-datapath.ts";
import { createManualClock } from "#reconcile/manual-clock.ts";
import { createMemoryStore } from "#storage/memory-store.ts";

const shared = { random: seededRandom(1), log: silentLog };
const admin = { name: "admin", groups: ["system:masters", "system:authenticated"] };
const at = { namespace: "default", name: "web" };

test("createServiceProxy() gathers changes, gives whole states and keeps rules that did not change", async () => {
  const datapath = createSimulatedDatapath();
  await using bench = await openBench(datapath);
  await bench.expose("web", "10.96.0.80");
  await bench.expose("other", "10.96.0.81");
  await bench.settled();
  deepEqual(namesIn(datapath), ["default/other:80", "default/web:80"]);
  const { applied } = datapath;
  const before = ruleOf(datapath, "default/other:80");

  await bench.setEndpoints("web", ["10.244.0.2"]);
  await bench.setEndpoints("web", ["10.244.0.2", "10.244.0.3"]);
  await bench.settled();
  equal(datapath.applied, applied + 1);
  deepEqual(
    ruleOf(datapath, "default/web:80")?.endpoints.map(({ ip }) => ip),
    ["10.244.0.2", "10.244.0.3"],
  );
  equal(ruleOf(datapath, "default/other:80"), before);

  await bench.client.delete(services, at);
  await bench.settled();
  deepEqual(namesIn(datapath), ["default/other:80"]);
});

test("createServiceProxy() tries again when the datapath fails", async () => {
  const works = createSimulatedDatapath();
  let failures = 2;
  const datapath: Datapath = {
    apply: async (rules) => {
      if (failures-- > 0) throw new Error("Cannot make the service table");
      await works.apply(rules);
    },
    [Symbol.asyncDispose]: async () => {},
  };
  await using bench = await openBench(datapath);
  await bench.settled();
  deepEqual([failures, works.applied], [1, 0]);
  await bench.pass(1000);
  await bench.pass(2000);
  await bench.proxy.ready;
  equal(works.applied, 1);
});

function namesIn(datapath: { services: readonly { name: string }[] }): readonly string[] {
  return datapath.services
    .map(({ name }) => name)
    .filter((name) => !name.startsWith("default/kubernetes"))
    .toSorted((one, other) => (one < other ? -1 : 1));
}

function ruleOf(datapath: ReturnType<typeof createSimulatedDatapath>, name: string) {
  return datapath.services.find((rule) => rule.name === name);
}

async function openBench(datapath: Datapath) {
  await using stack = new AsyncDisposableStack();
  const server = stack.use(
    await createApiServer({
      ...shared,
      clock: systemClock,
      store: stack.use(createMemoryStore()),
      kinds: builtinKinds(),
      serviceNetwork: { serviceCidr: "10.96.0.0/16" },
    }),
  );
  const client = createClient(createInProcessTransport(server, admin));
  const stop = new AbortController();
  stack.defer(() => stop.abort());
  const { signal } = stop;
  const informers = createInformers({ client, clock: systemClock, log: silentLog, signal });
  const clock = createManualClock();
  const proxy = stack.use(
    createServiceProxy({ informers, datapath, nodeName: "n", clock, log: silentLog, signal }),
  );
  await informers.synced();
  const pass = async (ms: number): Promise<void> => {
    await new Promise(setImmediate);
    clock.advance(ms);
    await new Promise(setImmediate);
  };
  const opened = stack.move();
  return {
    client,
    proxy,
    pass,
    /** Everything written so far has been seen, and the gathering time is over. */
    settled: async () => {
      await seen(client.list(services), informers.of(services));
      await seen(client.list(endpointSlices), informers.of(endpointSlices));
      await pass(20);
    },
    expose: async (name: string, clusterIP: string) => {
      await client.create(services, {
        apiVersion: "v1",
        kind: "Service",
        metadata: { namespace: "default", name },
        spec: { clusterIP, ports: [{ port: 80 }] },
      });
      await client.create(endpointSlices, sliceOf(name, []));
    },
    setEndpoints: async (name: string, ips: readonly string[]) => {
      await client.update(endpointSlices, sliceOf(name, ips));
    },
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

async function seen<T extends KubeObject>(
  listing: Promise<{ readonly items: readonly T[] }>,
  informer: Informer<T>,
): Promise<void> {
  const versions = (objects: Iterable<T>): string =>
    JSON.stringify(
      Array.from(objects, ({ metadata }) => metadata.resourceVersion ?? "").toSorted(),
    );
  const wanted = versions((await listing).items);
  await informer.until(() => versions(informer.list()) === wanted, new AbortController().signal);
}

function sliceOf(name: string, ips: readonly string[]): EndpointSlice {
  return {
    apiVersion: "discovery.k8s.io/v1",
    kind: "EndpointSlice",
    metadata: { namespace: "default", name, labels: { "kubernetes.io/service-name": name } },
    addressType: "IPv4",
    endpoints: ips.map((ip) => ({ addresses: [ip] })),
    ports: [{ name: "", port: 8080, protocol: "TCP" }],
  };
}
