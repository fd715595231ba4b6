import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { admin, createTestServer, type TestServer } from "#test/api-server.ts";

const pods = "/api/v1/namespaces/default/pods";
const classes = "/apis/scheduling.k8s.io/v1/priorityclasses";

async function createAccount(api: TestServer): Promise<void> {
  const body = { metadata: { name: "default" } };
  await api.send("POST", "/api/v1/namespaces/default/serviceaccounts", { body });
}

function podOf(metadata: JsonObject, spec: JsonObject = {}): JsonObject {
  return { metadata, spec: { containers: [{ name: "c", image: "i" }], ...spec } };
}

const mirror = { "kubernetes.io/config.mirror": "x" };
const refusals: readonly [what: string, pod: JsonObject, message: string][] = [
  [
    "of an account that is not there, its name to be generated",
    podOf({ generateName: "web-" }, { serviceAccountName: "none" }),
    'pods "web-" is forbidden: error looking up service account default/none: serviceaccount "none" not found',
  ],
  [
    "of a class that is not there",
    podOf({ name: "p" }, { priorityClassName: "none" }),
    'pods "p" is forbidden: no PriorityClass with name none was found',
  ],
  [
    "of another priority than its class has",
    podOf({ name: "p" }, { priority: 7 }),
    'pods "p" is forbidden: the integer value of priority (7) must not be provided in pod spec; priority admission controller computed 0 from the given PriorityClass name',
  ],
  [
    "that mirrors a file and names an account",
    podOf({ name: "p", annotations: mirror }, { serviceAccountName: "default" }),
    'pods "p" is forbidden: a mirror pod may not reference service accounts',
  ],
];

for (const [what, body, message] of refusals) {
  test(`a pod ${what} is refused in upstream's words`, async () => {
    await using api = await createTestServer();
    await createAccount(api);
    assert.equal((await api.send("POST", pods, { body })).body.message, message);
  });
}

test("a pod whose account is not there yet waits no longer than who asked for it", async () => {
  await using api = await createTestServer();
  const asking = new AbortController();
  const answer = api.server.handle({
    method: "POST",
    path: pods,
    query: new URLSearchParams(),
    header: () => undefined,
    body: { kind: "object", value: podOf({ name: "p" }) },
    user: admin,
    signal: asking.signal,
    answer: "objects",
  });
  asking.abort();
  // The clock stands: only the signal can have ended the wait.
  const { kind, status } = (await answer) as { kind: string; status: number };
  assert.deepEqual([kind, status], ["object", 403]);
});

test("only one priority class is the default", async () => {
  await using api = await createTestServer();
  const create = (name: string) =>
    api.send("POST", classes, { body: { metadata: { name }, value: 1, globalDefault: true } });
  assert.equal((await create("a")).status, 201);
  assert.equal(
    (await create("b")).body.message,
    'priorityclasses.scheduling.k8s.io "b" is forbidden: PriorityClass a is already marked as default. Only one default can exist',
  );
});

test("an update of a pod that leaves its priority out keeps it", async () => {
  await using api = await createTestServer();
  await createAccount(api);
  const { body } = await api.send("POST", pods, { body: podOf({ name: "p" }) });
  const { priority, preemptionPolicy, ...spec } = body.spec as JsonObject;
  const updated = await api.send("PUT", `${pods}/p`, { body: { ...body, spec } });
  const after = updated.body.spec as JsonObject;
  assert.deepEqual([after.priority, after.preemptionPolicy], [priority, preemptionPolicy]);
});
