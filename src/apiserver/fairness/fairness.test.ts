import assert from "node:assert/strict";
import { test } from "node:test";
import { MetricsRegistry } from "#base/metrics.ts";
import { seededRandom } from "#base/random.ts";
import { silentLog } from "#base/log.ts";
import { createMemoryStore } from "#storage/memory-store.ts";
import { createStoreCache } from "#apiserver/cache/store-cache.ts";
import { allocateSeats } from "#apiserver/fairness/allocate-seats.ts";
import { Fairness, TooManyRequests, type Admitted } from "#apiserver/fairness/fairness.ts";
import { dealHand } from "#apiserver/fairness/shuffle-shard.ts";
import { objectAt, objectsAt, stringAt } from "#apiserver/objects/json.ts";
import type { UserInfo } from "#apiserver/request.ts";
import { requestInfo } from "#apiserver/request-info.ts";
import { createTestServer, TestClock } from "#test/api-server.ts";

const flowControl = "/apis/flowcontrol.apiserver.k8s.io/v1";

function asked(method: string, path: string) {
  const info = requestInfo(method, path, new URLSearchParams());
  if (info === undefined) throw new Error("the path can be read");
  return info;
}

const configMaps = asked("POST", "/api/v1/namespaces/default/configmaps");

function userOf(name: string, ...groups: string[]): UserInfo {
  return { name, groups: [...groups, "system:authenticated"] };
}

interface Limited extends AsyncDisposable {
  readonly clock: TestClock;
  readonly fairness: Fairness;
  readonly metrics: MetricsRegistry;
  enter(user: UserInfo, signal?: AbortSignal): Admitted | Promise<Admitted>;
}

/** With the default objects and so few seats that they run out. */
async function limited(seats: number): Promise<Limited> {
  const clock = new TestClock();
  const metrics = new MetricsRegistry();
  const cache = await createStoreCache({ store: createMemoryStore(), log: silentLog, clock });
  const fairness = new Fairness({ cache, clock, metrics, seats });
  return {
    clock,
    fairness,
    metrics,
    enter: (user, signal = new AbortController().signal) =>
      fairness.enter({ user, info: configMaps, seats: 1, request: { signal } }),
    [Symbol.asyncDispose]: async () => {
      fairness[Symbol.dispose]();
      await cache[Symbol.asyncDispose]();
    },
  };
}

const flows: readonly [
  user: UserInfo,
  method: string,
  path: string,
  flow: string,
  level: string,
][] = [
  [userOf("admin", "system:masters"), "GET", "/api/v1/pods", "exempt", "exempt"],
  [userOf("jane"), "GET", "/livez/ping", "probes", "exempt"],
  [userOf("jane"), "GET", "/api/v1/pods", "global-default", "global-default"],
  [
    userOf("system:node:a", "system:nodes"),
    "PATCH",
    "/api/v1/nodes/a/status",
    "system-node-high",
    "node-high",
  ],
  [userOf("system:node:a", "system:nodes"), "GET", "/api/v1/pods", "system-nodes", "system"],
  [
    userOf("system:serviceaccount:kube-system:x", "system:serviceaccounts"),
    "PUT",
    "/apis/coordination.k8s.io/v1/namespaces/kube-system/leases/x",
    "system-leader-election",
    "leader-election",
  ],
  [
    userOf("system:serviceaccount:kube-system:x", "system:serviceaccounts"),
    "GET",
    "/api/v1/pods",
    "kube-system-service-accounts",
    "workload-high",
  ],
  [
    userOf("system:serviceaccount:shop:x", "system:serviceaccounts"),
    "GET",
    "/api/v1/pods",
    "service-accounts",
    "workload-low",
  ],
  [{ name: "odd", groups: [] }, "GET", "/api/v1/pods", "catch-all", "catch-all"],
];

test("requests are of upstream's flows and levels", async () => {
  await using parts = await limited(600);
  const found = flows.map(([user, method, path]) => {
    const flow = parts.fairness.configuration.flowOf(user, asked(method, path));
    return [flow?.name, flow?.level.name];
  });
  assert.deepEqual(
    found,
    flows.map(([, , , flow, level]) => [flow, level]),
  );
});

test("seats are divided by shares, as upstream divides 600", async () => {
  await using parts = await limited(600);
  const levels = parts.fairness.configuration.levels();
  assert.deepEqual(
    levels.map(({ name, nominal, lower, upper }) => [name, nominal, lower, upper]),
    [
      ["exempt", 0, 0, 600],
      ["catch-all", 13, 13, 613],
      ["system", 74, 50, 674],
      ["node-high", 98, 73, 698],
      ["leader-election", 25, 25, 625],
      ["workload-high", 98, 49, 698],
      ["workload-low", 245, 24, 845],
      ["global-default", 49, 24, 649],
    ],
  );
});

test("a user who floods the server waits; another one is let in before the flood", async () => {
  await using parts = await limited(60);
  const { clock } = parts;
  const [noisy, quiet] = [userOf("noisy"), userOf("quiet")];
  const inside: Admitted[] = [];
  let waiting: Promise<Admitted> | undefined;
  const order: string[] = [];
  const note = async (name: string, entering: Promise<Admitted>): Promise<void> => {
    const admitted = await entering;
    order.push(name);
    clock.advance(10);
    admitted.leave();
  };
  while (waiting === undefined) {
    const entering = parts.enter(noisy);
    if (entering instanceof Promise) waiting = entering;
    else inside.push(entering);
  }
  const pending = [note("noisy", waiting)];
  for (let count = 0; count < 20; count += 1) {
    pending.push(note("noisy", Promise.resolve(parts.enter(noisy))));
  }
  pending.push(note("quiet", Promise.resolve(parts.enter(quiet))));
  clock.advance(50);
  for (const admitted of inside) {
    clock.advance(1);
    admitted.leave();
  }
  await Promise.all(pending);
  // The flood has six queues at most.
  assert.ok(order.indexOf("quiet") <= 6, `turn ${order.indexOf("quiet")}`);
  assert.equal(order.length, 22);
});

test("who has waited a quarter of a minute, or goes away, is refused; seats are counted right", async () => {
  await using parts = await limited(1);
  const { clock, fairness } = parts;
  const jane = userOf("jane");
  const inside: Admitted[] = [];
  for (;;) {
    const entering = parts.enter(jane);
    if (!(entering instanceof Promise)) {
      inside.push(entering);
      continue;
    }
    const gone = new AbortController();
    const second = Promise.resolve(parts.enter(jane, gone.signal));
    gone.abort();
    await assert.rejects(second, /cancelled/);
    clock.advance(15_000);
    await assert.rejects(entering, /time-out/);
    break;
  }
  for (const admitted of inside) admitted.leave();
  const level = fairness.configuration.levels().find(({ name }) => name === "global-default");
  assert.deepEqual(
    [level?.executing, level?.seatsInUse, level?.waiting, level?.demand.seats],
    [0, 0, 0, 0],
  );
  const refused =
    'rejected_requests_total{priority_level="global-default",flow_schema="global-default",reason="time-out"}';
  assert.ok(parts.metrics.exposition().includes(`apiserver_flowcontrol_${refused} 2`));
});

test("a level without queues refuses at once, full queues do too", async () => {
  await using parts = await limited(10);
  const odd: UserInfo = { name: "odd", groups: [] };
  assert.throws(
    () => {
      for (let count = 0; count < 20; count += 1) void parts.enter(odd);
    },
    (error) => error instanceof TooManyRequests && /concurrency-limit/.test(error.message),
  );
  const waiting: Promise<unknown>[] = [];
  assert.throws(
    () => {
      for (let count = 0; count < 2_000; count += 1) {
        const entering = parts.enter(userOf("jane"));
        if (entering instanceof Promise) waiting.push(entering.catch(() => {}));
      }
    },
    (error) => error instanceof TooManyRequests && /queue-full/.test(error.message),
  );
  assert.equal(waiting.length, 6 * 50, "the queues of its hand are full");
  parts.clock.advance(15_000);
  await Promise.all(waiting);
});

test("a level borrows what others do not need, and gives it back", async () => {
  await using parts = await limited(600);
  const { clock, fairness } = parts;
  const level = fairness.configuration.levels().find(({ name }) => name === "global-default");
  const before = level?.current;
  const entering: Promise<Admitted>[] = [];
  for (let count = 0; count < 200; count += 1) {
    entering.push(Promise.resolve(parts.enter(userOf(`user-${count}`))));
  }
  clock.advance(10_000);
  const inside = await Promise.all(entering);
  assert.ok((level?.current ?? 0) >= 200, `has ${level?.current}`);
  for (const admitted of inside) admitted.leave();
  clock.advance(10_000);
  clock.advance(3_600_000);
  assert.deepEqual([before, (level?.current ?? 0) >= 24], [37, true]);
});

test("allocateSeats() keeps the sum, the bounds and the fair share for any claims", () => {
  const random = seededRandom(7);
  for (let round = 0; round < 500; round += 1) {
    const claims = Array.from({ length: 1 + Math.floor(random() * 8) }, () => {
      const lower = random() * 50;
      const upper = lower + random() * 300;
      return { target: lower + random() * 200, lower, upper };
    });
    const least = claims.reduce((sum, { lower }) => sum + lower, 0);
    const most = claims.reduce((sum, { upper }) => sum + upper, 0);
    const total = least + random() * (most - least);
    const { seats, fairShare } = allocateSeats(total, claims);
    const sum = seats.reduce((one, other) => one + other, 0);
    assert.ok(Math.abs(sum - total) < 1e-6);
    for (const [index, { target, lower, upper }] of claims.entries()) {
      const wanted = Math.min(upper, Math.max(lower, fairShare * target));
      assert.ok(Math.abs((seats[index] ?? 0) - wanted) < 1e-6);
    }
  }
});

test("dealHand() deals different queues, the same to the same flow", () => {
  const hands = Array.from({ length: 200 }, (_, flow) => dealHand(`flow-${flow}`, 128, 6));
  for (const hand of hands) {
    assert.equal(new Set(hand).size, 6);
    assert.ok(hand.every((card) => card >= 0 && card < 128));
  }
  assert.deepEqual(dealHand("flow-1", 128, 6), hands[1]);
  assert.ok(new Set(hands.map(String)).size > 195);
});

test("default objects are there, are kept, and say that their level is", async () => {
  await using api = await createTestServer();
  const { body } = await api.send("GET", `${flowControl}/flowschemas`);
  assert.deepEqual(
    objectsAt(body, "items").map(({ metadata, status }) => [
      (metadata as { name?: string }).name,
      objectsAt(objectAt({ status: status ?? {} }, "status"), "conditions").map(
        ({ type, status: value }) => [type, value],
      ),
    ]),
    [
      "catch-all",
      "exempt",
      "global-default",
      "kube-controller-manager",
      "kube-scheduler",
      "kube-system-service-accounts",
      "probes",
      "service-accounts",
      "system-leader-election",
      "system-node-high",
      "system-nodes",
    ].map((name) => [name, [["Dangling", "False"]]]),
  );
  await api.send("DELETE", `${flowControl}/prioritylevelconfigurations/catch-all`);
  let level = await api.send("GET", `${flowControl}/prioritylevelconfigurations/catch-all`);
  while (level.status === 404) {
    level = await api.send("GET", `${flowControl}/prioritylevelconfigurations/catch-all`);
  }
  const { headers } = await api.send("GET", "/api/v1/namespaces/default", {
    user: userOf("jane"),
  });
  const uids = Object.fromEntries(headers.filter(([name]) => name.startsWith("x-kubernetes-pf")));
  const schema = await api.send("GET", `${flowControl}/flowschemas/global-default`);
  const own = await api.send("GET", `${flowControl}/prioritylevelconfigurations/global-default`);
  assert.deepEqual(uids, {
    "x-kubernetes-pf-flowschema-uid": stringAt(objectAt(schema.body, "metadata"), "uid"),
    "x-kubernetes-pf-prioritylevel-uid": stringAt(objectAt(own.body, "metadata"), "uid"),
  });
});

test("a level without seats is a jail: its requests get 429 and are told when to come back", async () => {
  await using api = await createTestServer();
  const limited = {
    nominalConcurrencyShares: 0,
    borrowingLimitPercent: 0,
    limitResponse: { type: "Reject" },
  };
  const level = await api.send("POST", `${flowControl}/prioritylevelconfigurations`, {
    body: { metadata: { name: "jail" }, spec: { type: "Limited", limited } },
  });
  const schema = await api.send("POST", `${flowControl}/flowschemas`, {
    body: {
      metadata: { name: "jail" },
      spec: {
        matchingPrecedence: 10,
        priorityLevelConfiguration: { name: "jail" },
        rules: [
          {
            subjects: [{ kind: "User", user: { name: "noisy" } }],
            resourceRules: [
              {
                verbs: ["*"],
                apiGroups: ["*"],
                resources: ["*"],
                clusterScope: true,
                namespaces: ["*"],
              },
            ],
          },
        ],
      },
    },
  });
  assert.deepEqual([level.status, schema.status], [201, 201]);
  const list = (user: UserInfo) => api.send("GET", "/api/v1/namespaces", { user });
  const refused = await list(userOf("noisy"));
  const headers = new Map(refused.headers);
  assert.deepEqual(
    [
      refused.status,
      refused.text,
      headers.get("retry-after"),
      headers.get("x-kubernetes-pf-flowschema-uid"),
    ],
    [
      429,
      "Too many requests, please try again later.\n",
      "1",
      stringAt(objectAt(schema.body, "metadata"), "uid"),
    ],
  );
  assert.equal((await list(userOf("admin", "system:masters"))).status, 200);
});

test("levels and queues can be looked at, as upstream shows them", async () => {
  await using api = await createTestServer();
  await api.send("GET", "/api/v1/namespaces", { user: userOf("jane") });
  const dump = async (name: string) =>
    (await api.send("GET", `/debug/api_priority_and_fairness/${name}`)).text.trim().split("\n");
  const levels = await dump("dump_priority_levels");
  assert.match(levels[0] ?? "", /^PriorityLevelName, ActiveQueues, IsIdle, IsQuiescing, +Waiting/);
  const own = levels.find((line) => line.startsWith("global-default"));
  assert.deepEqual(own?.split(/, */), ["global-default", ..."0 true false 0 0 1 0 0 0".split(" ")]);
  assert.equal((await dump("dump_queues")).length, 1 + 64 + 64 + 16 + 128 * 3);
  assert.equal((await dump("dump_requests?includeRequestDetails=1")).length, 1);
});
