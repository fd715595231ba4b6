import { deepEqual, equal, rejects } from "node:assert/strict";
import { test } from "node:test";
import type { ConfigMap } from "#api/generated/types.ts";
import { configMaps } from "#api/resources.ts";
import { conflict } from "#api/status.ts";
import { systemClock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { seededRandom } from "#base/random.ts";
import { createClient } from "#client/api-client.ts";
import { createInformers } from "#client/informers.ts";
import type { Transport } from "#client/transport.ts";
import { createInProcessTransport } from "#main/in-process-transport.ts";
import { createOwnWritesClient } from "#reconcile/own-writes.ts";
import { createManualClock } from "#reconcile/manual-clock.ts";
import { createWorkQueue } from "#reconcile/work-queue.ts";
import { admin, createTestServer } from "#test/api-server.ts";

const namespace = "default";
const owner = { apiVersion: "v1", kind: "Owner", name: "o", uid: "o", controller: true };

const generated: ConfigMap = {
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { generateName: "made-", namespace, ownerReferences: [owner] },
};

/** A client of the process, the answers to whose next writes are lost, and which then is refused and sees nothing. */
async function openClient(stack: AsyncDisposableStack) {
  const server = stack.use(await createTestServer());
  const direct = createInProcessTransport(server.server, admin);
  const lost = { answers: 0, refusals: 0 };
  let seen = Promise.resolve();
  let see = (): void => {};
  const transport: Transport = {
    ...direct,
    async request(request) {
      if (request.method === "GET") see();
      else if (lost.answers === 0 && lost.refusals > 0) {
        lost.refusals--;
        return { status: 409, value: conflict({ group: "", resource: "any" }, "o", "no").status };
      }
      const answer = await direct.request(request);
      if (request.method === "GET" || lost.answers === 0) return answer;
      lost.answers--;
      throw new Error("Cannot hear the answer");
    },
    watch: async (request) => delayed(await direct.watch(request), () => seen),
  };
  const stop = new AbortController();
  stack.defer(() => stop.abort());
  const parts = { clock: systemClock, log: silentLog, signal: stop.signal };
  const client = createClient(transport);
  const informers = createInformers({ ...parts, client });
  const informer = informers.of(configMaps);
  await informer.synced;
  const own = createOwnWritesClient({ ...parts, client, informers, random: seededRandom(1) });
  const made = () => [...informer.list(namespace)].filter(({ metadata }) => metadata.generateName);
  /** The watch shows nothing until somebody reads. */
  const blind = (): void => {
    seen = new Promise((resolve) => (see = resolve));
  };
  return { own, lost, informer, made, blind };
}

async function* delayed<T>(events: AsyncIterable<T>, until: () => Promise<void>) {
  for await (const event of events) {
    await until();
    yield event;
  }
}

test("createOwnWritesClient() creates and deletes once, however often the answer is lost", async () => {
  await using stack = new AsyncDisposableStack();
  const { own, lost, made } = await openClient(stack);
  lost.answers = 2;
  const { metadata } = await own.create(configMaps, generated);
  deepEqual(
    made().map((one) => one.metadata.uid),
    [metadata.uid],
  );
  await own.create(configMaps, generated);
  equal(made().length, 2);
  lost.answers = 1;
  const at = { name: metadata.name ?? "", namespace };
  await own.delete(configMaps, at, { preconditions: { uid: metadata.uid ?? "" } });
  equal(made().length, 1);
});

test("createOwnWritesClient() fails an update without an answer once the informer shows what happened", async () => {
  await using stack = new AsyncDisposableStack();
  const { own, lost, made, informer } = await openClient(stack);
  const created = await own.create(configMaps, generated);
  lost.answers = 1;
  const changed = { ...created, data: { a: "1" } };
  await rejects(own.update(configMaps, changed), /Cannot hear the answer/);
  deepEqual(made()[0]?.data, { a: "1" });
  // Not an answer that leaves anything open.
  await rejects(
    own.create(configMaps, { ...created, metadata: { ...created.metadata } }),
    /not be set|exists/,
  );
  equal([...informer.list(namespace)].filter((one) => one.metadata.generateName).length, 1);
});

test("createOwnWritesClient() fails a refused attempt only once the informer shows what one before it has done", async () => {
  await using stack = new AsyncDisposableStack();
  const { own, lost, made, blind } = await openClient(stack);
  Object.assign(lost, { answers: 1, refusals: 1 });
  blind();
  await rejects(own.create(configMaps, generated), { name: "StatusError" });
  equal(made().length, 1);
});

test("createWorkQueue() lets a key rest and takes together what is added meanwhile", async () => {
  const clock = createManualClock();
  const queue = createWorkQueue(clock);
  queue.add("a");
  equal(await queue.take(), "a");
  queue.done("a", 100);
  for (const key of ["a", "b", "a"]) queue.add(key);
  equal(await queue.take(), "b");
  equal(queue.length, 0);
  clock.advance(100);
  equal(await queue.take(), "a");
  queue.done("a");
  queue.close();
  equal(queue.length, 0);
});
