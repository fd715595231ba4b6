import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type { ConfigMap } from "#api/generated/types.ts";
import { configMaps } from "#api/resources.ts";
import type { Clock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { createClient } from "#client/api-client.ts";
import { createInformer } from "#client/create-informer.ts";
import { createInformers } from "#client/informers.ts";
import type { Transport, TransportRequest, TransportWatchEvent } from "#client/transport.ts";

const immediateClock: Clock = {
  now: () => 0,
  after: (_delayMs, act) => {
    queueMicrotask(act);
    return () => {};
  },
};

const map = (name: string, resourceVersion: string, uid = name): ConfigMap => ({
  apiVersion: "v1",
  kind: "ConfigMap",
  metadata: { name, namespace: "a", uid, resourceVersion },
});

const added = (object: ConfigMap): TransportWatchEvent => ({ type: "ADDED", object });
const bookmark = (resourceVersion: string, end = false): TransportWatchEvent => ({
  type: "BOOKMARK",
  object: {
    metadata: {
      resourceVersion,
      ...(end && { annotations: { "k8s.io/initial-events-end": "true" } }),
    },
  },
});
const gone: TransportWatchEvent = {
  type: "ERROR",
  object: { kind: "Status", code: 410, reason: "Expired", message: "too old" },
};
const refused = { kind: "Status", code: 422, reason: "Invalid", message: "sendInitialEvents" };

/** Answers watches from a script; the one after the last stays open until the signal ends it. */
function scripted(
  script: readonly (readonly TransportWatchEvent[])[],
  lists: readonly unknown[] = [],
) {
  const asked: string[] = [];
  const rest = [...script];
  const answers = [...lists];
  const record = (verb: string, { query = {} }: TransportRequest): void => {
    const from = query.sendInitialEvents ? "initial" : (query.resourceVersion ?? "newest");
    asked.push(`${verb} ${verb === "list" ? (query.continue ?? "first") : from}`);
  };
  const transport: Transport = {
    request: async (request) => {
      record("list", request);
      return { status: 200, value: answers.shift() };
    },
    watch: async (request) => {
      record("watch", request);
      const events = rest.shift();
      if (events?.[0]?.object === refused) {
        return (async function* (): AsyncGenerator<TransportWatchEvent> {
          yield { type: "ERROR", object: refused };
        })();
      }
      return (async function* () {
        yield* events ?? [];
        if (events === undefined) {
          await new Promise((resolve) => request.signal?.addEventListener("abort", resolve));
        }
      })();
    },
  };
  return { client: createClient(transport), asked };
}

async function settle(): Promise<void> {
  for (let turn = 0; turn < 50; turn++) await Promise.resolve();
  await new Promise((resolve) => setImmediate(resolve));
}

test("createInformer() resumes a broken watch and lists anew when history is gone", async () => {
  const stop = new AbortController();
  const { client, asked } = scripted([
    [added(map("x", "1")), added(map("y", "2")), bookmark("5", true), added(map("z", "6"))],
    [{ type: "MODIFIED", object: map("x", "7") }, bookmark("9")],
    [gone],
    [added(map("x", "7")), added(map("y", "12", "y-again")), bookmark("12", true)],
  ]);
  const informer = createInformer(client, configMaps, {
    signal: stop.signal,
    clock: immediateClock,
    log: silentLog,
  });
  const changes: string[] = [];
  informer.onChange(({ kind, object }) => changes.push(`${kind} ${object.metadata.name}`));
  await informer.synced;
  await settle();
  deepEqual(asked, ["watch initial", "watch 6", "watch 9", "watch initial", "watch 12"]);
  deepEqual(changes, [
    "added x",
    "added y",
    "added z",
    "modified x",
    "deleted z",
    "deleted y",
    "added y",
  ]);
  equal(informer.resourceVersion, "12");
  stop.abort();
});

test("createInformer() pages through a listing where WatchList is refused", async () => {
  const stop = new AbortController();
  const { client, asked } = scripted(
    [[{ type: "ERROR", object: refused }]],
    [
      { metadata: { resourceVersion: "4", continue: "more" }, items: [map("x", "1")] },
      { metadata: { resourceVersion: "4" }, items: [{ metadata: map("y", "2").metadata }] },
    ],
  );
  const informer = createInformer(client, configMaps, {
    indexes: { byVersion: (object) => [object.metadata.resourceVersion ?? ""] },
    signal: stop.signal,
    clock: immediateClock,
    log: silentLog,
  });
  await informer.synced;
  await settle();
  deepEqual(asked, ["watch initial", "list first", "list more", "watch 4"]);
  deepEqual(
    [...informer.byIndex("byVersion", "2")].map(
      (object) => `${object.kind} ${object.metadata.name}`,
    ),
    ["ConfigMap y"],
  );
  stop.abort();
});

test("createInformers() watches a resource once, however many ask", async () => {
  const stop = new AbortController();
  const { client, asked } = scripted([]);
  const informers = createInformers({
    client,
    clock: immediateClock,
    log: silentLog,
    signal: stop.signal,
  });
  equal(informers.of(configMaps), informers.of(configMaps));
  await settle();
  deepEqual(asked, ["watch initial"]);
  stop.abort();
});
