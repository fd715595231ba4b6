import { deepEqual, equal, ok, rejects, throws } from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import type { DraCalls } from "#agent/dynamic-resources/dra-plugin.ts";
import { createClaimMetrics } from "#agent/dynamic-resources/claim-metrics.ts";
import { DynamicResources } from "#agent/dynamic-resources/dynamic-resources.ts";
import type { Container, Pod, ResourceV1ResourceClaim } from "#api/generated/types.ts";
import { resourceClaims } from "#api/resources.ts";
import { silentLog } from "#base/log.ts";
import { MetricsRegistry } from "#base/metrics.ts";
import { seededRandom } from "#base/random.ts";
import { createClient } from "#client/api-client.ts";
import { createInProcessTransport } from "#main/in-process-transport.ts";
import { admin, createTestServer } from "#test/api-server.ts";

const driverName = "dra.example.com";

/** Remembers what is prepared; fails when it is told to. */
class FakeDriver implements DraCalls {
  readonly prepared = new Set<string>();
  readonly calls: string[] = [];
  problem: (call: string) => string | undefined = () => undefined;

  prepare: DraCalls["prepare"] = async (claims) => {
    this.#note(`prepare ${claims.map(({ name }) => name).join()}`);
    for (const { name } of claims) this.prepared.add(name);
    return new Map(claims.map(({ uid, name }) => [uid, [deviceOf(name)]]));
  };

  unprepare: DraCalls["unprepare"] = async (claims) => {
    this.#note(`unprepare ${claims.map(({ name }) => name).join()}`);
    for (const { name } of claims) this.prepared.delete(name);
  };

  #note(call: string): void {
    this.calls.push(call);
    const problem = this.problem(call);
    if (problem !== undefined) throw new Error(problem);
  }
}

function deviceOf(claim: string) {
  return {
    requestNames: ["thing"],
    poolName: "n",
    deviceName: `of-${claim}`,
    cdiDeviceIds: [`${driverName}/claim=${claim}`],
  };
}

/** An API server with claims, a driver, and managers one after the other as agents have them. */
async function openNode() {
  await using stack = new AsyncDisposableStack();
  const { server, clock } = stack.use(await createTestServer());
  const client = createClient(createInProcessTransport(server, admin));
  const dataDir = await mkdtemp(join(tmpdir(), "kogge-dra-"));
  stack.defer(() => rm(dataDir, { recursive: true, force: true }));
  const driver = new FakeDriver();
  const known = new Set<string>();
  const drivers = new Map<string, DraCalls>([[driverName, driver]]);
  const metrics = createClaimMetrics(new MetricsRegistry(), clock);
  const startManager = (): DynamicResources =>
    new DynamicResources({
      metrics,
      dataDir,
      client,
      clock,
      log: silentLog,
      driver(name) {
        const found = drivers.get(name);
        if (found) return found;
        throw new Error(`DRA driver ${name} is not registered`);
      },
      health: { of: () => ({ health: "Unknown", message: "" }) },
      isKnown: (uid) => known.has(uid),
    });
  const addClaim = async (
    name: string,
    status: ResourceV1ResourceClaim["status"],
  ): Promise<ResourceV1ResourceClaim> => {
    const requests = [{ name: "thing", exactly: { deviceClassName: "things" } }];
    const claim = await client.create(resourceClaims, {
      apiVersion: "resource.k8s.io/v1",
      kind: "ResourceClaim",
      metadata: { namespace: "default", name },
      spec: { devices: { requests } },
    });
    return client.update(resourceClaims, { ...claim, status }, { subresource: "status" });
  };
  const opened = stack.move();
  return {
    client,
    driver,
    drivers,
    known,
    clock,
    dataDir,
    startManager,
    addClaim,
    [Symbol.asyncDispose]: () => opened.disposeAsync(),
  };
}

function allocated(...podUids: readonly string[]): ResourceV1ResourceClaim["status"] {
  const results = [{ request: "thing", driver: driverName, pool: "n", device: "thing-0" }];
  return {
    allocation: { devices: { results } },
    reservedFor: podUids.map((uid) => ({ resource: "pods", name: `pod-${uid}`, uid })),
  };
}

const container: Container = {
  name: "main",
  image: "i",
  resources: { claims: [{ name: "a" }] },
};

function podWith(uid: string, ...claims: readonly string[]): Pod {
  return {
    apiVersion: "v1",
    kind: "Pod",
    metadata: { name: `pod-${uid}`, namespace: "default", uid },
    spec: {
      containers: [container],
      resourceClaims: claims.map((name) => ({ name, resourceClaimName: name })),
    },
  };
}

test("a claim is prepared for its first pod and given back after its last", async () => {
  await using node = await openNode();
  const { driver } = node;
  await node.addClaim("a", allocated("1", "2"));
  await node.addClaim("b", allocated("1"));
  using manager = node.startManager();
  const [first, second] = [podWith("1", "a", "b"), podWith("2", "a")];
  await manager.prepare(first);
  await manager.prepare(second);
  await manager.prepare(first);
  deepEqual(driver.calls, ["prepare a,b"]);
  deepEqual(manager.cdiDevicesOf(first, container), [`${driverName}/claim=a`]);
  deepEqual(manager.statusOf(second, container), [
    {
      name: "claim:a",
      resources: [{ health: "Unknown", resourceID: `${driverName}/claim=a` }],
    },
  ]);
  deepEqual(manager.resourcesOf(second, container), [
    {
      claimName: "a",
      claimNamespace: "default",
      claimResources: [
        {
          cdiDevices: [{ name: `${driverName}/claim=a` }],
          driverName,
          poolName: "n",
          deviceName: "of-a",
        },
      ],
    },
  ]);
  deepEqual([...manager.usersOf(driverName, new Set(["n/of-a"]))], ["1", "2"]);
  await manager.unprepare("1");
  await manager.unprepare("2");
  await manager.unprepare("2");
  deepEqual(driver.calls, ["prepare a,b", "unprepare b", "unprepare a"]);
  deepEqual([manager.has("1"), manager.has("2")], [false, false]);
  throws(
    () => manager.cdiDevicesOf(first, container),
    /^Error: internal error: unable to get claim info for ResourceClaim a in namespace default$/,
  );
});

test("prepare() tells in upstream's words why a pod must wait", async () => {
  await using node = await openNode();
  const { metadata: unallocated } = await node.addClaim("not-allocated", {});
  const { metadata } = await node.addClaim("not-reserved", allocated("2"));
  await node.addClaim("fine", allocated("1"));
  const drivers = (name: string) => ({
    allocation: {
      devices: { results: [{ request: "thing", driver: name, pool: "n", device: "d" }] },
    },
    reservedFor: [{ resource: "pods", name: "pod-1", uid: "1" }],
  });
  await node.addClaim("strange", drivers("strange.example.com"));
  using manager = node.startManager();
  const generated = (status: NonNullable<Pod["status"]>): Pod => ({
    ...podWith("1"),
    spec: {
      containers: [],
      resourceClaims: [{ name: "mine", resourceClaimTemplateName: "t" }],
    },
    status,
  });
  const cases: readonly (readonly [pod: Pod, why: string])[] = [
    [
      podWith("1", "none"),
      'fetch ResourceClaim none: resourceclaims.resource.k8s.io "none" not found',
    ],
    [
      podWith("1", "not-allocated"),
      `pod pod-1 (1) is not allowed to use ResourceClaim not-allocated (${unallocated.uid})`,
    ],
    [
      podWith("1", "not-reserved"),
      `pod pod-1 (1) is not allowed to use ResourceClaim not-reserved (${metadata.uid})`,
    ],
    [podWith("1", "strange"), "DRA driver strange.example.com is not registered"],
    [generated({}), 'pod "default/pod-1": ResourceClaim not created yet'],
    [
      generated({ resourceClaimStatuses: [{ name: "mine", resourceClaimName: "fine" }] }),
      "ResourceClaim default/fine was not created for pod default/pod-1 (pod is not owner)",
    ],
  ];
  for (const [pod, why] of cases) {
    await rejects(manager.prepare(pod), { message: `prepare dynamic resources: ${why}` });
  }
  equal(manager.has("1"), false);
  await manager.prepare(generated({ resourceClaimStatuses: [{ name: "mine" }] }));
  deepEqual(node.driver.calls, []);
  node.driver.problem = () => "NodePrepareResources: rpc error: code = Unavailable desc = gone";
  await rejects(manager.prepare(podWith("1", "fine")), {
    message:
      "prepare dynamic resources: NodePrepareResources: rpc error: code = Unavailable desc = gone",
  });
  // It may be prepared all the same: it is to be given back.
  equal(manager.has("1"), true);
});

test("a claim of the same name waits until the one before it is given back", async () => {
  await using node = await openNode();
  const { metadata } = await node.addClaim("a", allocated("1"));
  using manager = node.startManager();
  await manager.prepare(podWith("1", "a"));
  await node.client.delete(resourceClaims, { namespace: "default", name: "a" });
  await node.addClaim("a", allocated("2"));
  await rejects(manager.prepare(podWith("2", "a")), {
    message: `prepare dynamic resources: old ResourceClaim with same name a and different UID ${metadata.uid} still exists (previous pod force-deleted?!)`,
  });
  await manager.unprepare("1");
  deepEqual([...manager.inUse()], [["<any>", 0]]);
  await manager.prepare(podWith("2", "a"));
  deepEqual(
    [...manager.inUse()],
    [
      ["<any>", 1],
      [driverName, 1],
    ],
  );
  deepEqual(node.driver.calls, ["prepare a", "unprepare a", "prepare a"]);
});

test("what an agent had prepared the next one gives back, as soon as it can", async () => {
  await using node = await openNode();
  const { driver, drivers, known, clock } = node;
  await node.addClaim("a", allocated("1"));
  await node.addClaim("b", allocated("2"));
  const first = node.startManager();
  await first.prepare(podWith("1", "a"));
  // The agent ends before it hears of the answer.
  driver.problem = () => "killed";
  await rejects(first.prepare(podWith("2", "b")));
  first[Symbol.dispose]();
  driver.problem = () => undefined;
  known.add("1");
  drivers.delete(driverName);
  using next = node.startManager();
  deepEqual(next.cdiDevicesOf(podWith("1", "a"), container), [`${driverName}/claim=a`]);
  driver.calls.length = 0;
  await next.reconcile();
  deepEqual([next.has("1"), next.has("2")], [true, true]);
  drivers.set(driverName, driver);
  clock.advance(1000);
  await next.reconcile();
  deepEqual([next.has("1"), next.has("2")], [true, false]);
  known.delete("1");
  await next.reconcile();
  deepEqual(driver.calls, ["unprepare b", "unprepare a"]);
  equal(next.has("1"), false);
});

test("a manager does not start over a file of claims that it cannot read", async () => {
  await using node = await openNode();
  await writeFile(join(node.dataDir, "dra_manager_state"), "{");
  throws(() => node.startManager(), /Cannot read ".*dra_manager_state".*drain the node/);
});

test("whatever fails and whoever dies, a claim is prepared while a pod runs with it and not after", async () => {
  for (let seed = 1; seed <= 8; seed += 1) await live(seed);
});

/** A life of pods that share claims, with a driver that fails often and agents that die. */
async function live(seed: number): Promise<void> {
  const random = seededRandom(seed);
  const oneOf = <T>(all: readonly T[]): T => all[Math.floor(random() * all.length)] as T;
  await using node = await openNode();
  const { driver, known } = node;
  const uids = ["1", "2", "3", "4"];
  const uses: Readonly<Record<string, readonly string[]>> = {
    1: ["a"],
    2: ["a", "b"],
    3: ["b", "c"],
    4: ["c", "a"],
  };
  for (const name of ["a", "b", "c"]) await node.addClaim(name, allocated(...uids));
  const running = new Set<string>();
  let manager = node.startManager();
  driver.problem = () => (random() < 0.3 ? "bad luck" : undefined);
  for (let step = 0; step < 40; step += 1) {
    const uid = oneOf(uids);
    if (random() < 0.1) {
      manager[Symbol.dispose]();
      manager = node.startManager();
    } else if (!known.has(uid)) {
      if (manager.has(uid)) continue;
      known.add(uid);
    } else if (random() < 0.5) {
      await manager.prepare(podWith(uid, ...(uses[uid] ?? []))).then(
        () => running.add(uid),
        () => {},
      );
    } else {
      running.delete(uid);
      // Gone with its object, or ended with it there.
      if (random() < 0.3) known.delete(uid);
      await (known.has(uid) ? manager.unprepare(uid) : manager.reconcile()).catch(() => {});
    }
    for (const one of running) {
      for (const name of uses[one] ?? []) {
        ok(driver.prepared.has(name), `seed ${seed}: ${name} is not there for ${one}`);
      }
    }
  }
  driver.problem = () => undefined;
  known.clear();
  await manager.reconcile();
  manager[Symbol.dispose]();
  deepEqual([...driver.prepared], [], `seed ${seed}`);
}
