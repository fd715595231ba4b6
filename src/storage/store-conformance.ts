import assert from "node:assert/strict";
import { test } from "node:test";
import { seededRandom } from "#base/random.ts";
import {
  after,
  CompactedError,
  FutureRevisionError,
  prefixRange,
  SlowWatcherError,
} from "#storage/store.ts";
import type { Entry, Range, Store, StoreEvent } from "#storage/store.ts";

/** The backlog with which the suite opens stores. */
export const conformanceBacklogMax = 50;

const everything: Range = { start: "", end: "" };
const never = new AbortController().signal;

/**
 * What every Store does; `open` gives an empty one with a backlog of `conformanceBacklogMax`. `skip` is why it cannot
 * be tried here.
 */
export function storeConformance(
  name: string,
  open: () => Promise<Store>,
  skip: string | false = false,
): void {
  const check = (title: string, act: (store: Store) => Promise<void>): void => {
    void test(`${name}: ${title}`, { skip }, async () => {
      await using store = await open();
      await act(store);
    });
  };
  check("put() and delete() compare and swap", compareAndSwap);
  check("refuses empty, overlong and NUL keys", badKeys);
  check("list() pages through a range in code unit order", pages);
  check("list() at a past revision sees deletes and re-creates undone", listsThePast);
  check("watch() replays, then goes on live without gap or duplicate", watchReplays);
  check("watch() and list() across a compaction throw CompactedError", compacts);
  check("refuses future revisions", refusesTheFuture);
  check("one of many concurrent writers wins each swap", concurrentWriters);
  check("a slow watcher gets a SlowWatcherError and others go on", slowWatcher);
  check("subscribe() and watch() have the event before put() resolves", handsOverFirst);
  check("closing ends watches and refuses use", closes);
  check("holds 100,000 keys", manyKeys);
  check("agrees with a naive model over a seeded run", (store) => agreesWithModel(store, 7));
}

async function compareAndSwap(store: Store): Promise<void> {
  assert.deepEqual(await store.put("a", bytes("1"), 5), { ok: false, current: undefined });
  assert.deepEqual(await store.put("a", bytes("1"), 0), { ok: true, revision: 1 });
  assert.deepEqual(plain(await store.put("a", bytes("2"), 0)), {
    ok: false,
    current: { key: "a", value: "1", revision: 1 },
  });
  assert.deepEqual(await store.put("a", bytes("2"), 1), { ok: true, revision: 2 });
  assert.deepEqual(plain(await store.delete("a", 1)), {
    ok: false,
    current: { key: "a", value: "2", revision: 2 },
  });
  assert.deepEqual(await store.delete("a", 2), { ok: true, revision: 3 });
  assert.deepEqual(await store.delete("a", 0), { ok: false, current: undefined });
  assert.equal(await store.get("a"), undefined);
  assert.equal(await store.revision(), 3);
}

async function badKeys(store: Store): Promise<void> {
  for (const key of ["", "a\0b", "é".repeat(600)]) {
    await assert.rejects(store.put(key, bytes(""), 0), /Cannot use/);
  }
  assert.deepEqual(await store.put("k".repeat(1024), bytes(""), 0), { ok: true, revision: 1 });
}

async function pages(store: Store): Promise<void> {
  const keys = ["p/\ue000", "p/b", "q", "p/\u{1f600}", "p/a", "p/é", "p/a/1", "p/\ud800", "o"];
  await Promise.all(keys.map((key) => store.put(key, bytes(key), 0)));
  const seen: string[] = [];
  const range = prefixRange("p/");
  for (let start = range.start, more = true; more;) {
    const page = await store.list({ ...range, start }, { limit: 2, atRevision: 9 });
    seen.push(...page.entries.map((entry) => entry.key));
    start = after(seen.at(-1)!);
    more = page.more;
  }
  assert.deepEqual(seen, keys.filter((key) => key.startsWith("p/")).sort());
  assert.equal((await store.list(everything)).entries.length, keys.length);
}

async function listsThePast(store: Store): Promise<void> {
  await store.put("b", bytes("b1"), 0);
  await store.put("c", bytes("c2"), 0);
  await store.delete("b", 1);
  await store.put("a", bytes("a4"), 0);
  await store.put("b", bytes("b5"), 0);
  await store.put("c", bytes("c6"), 2);
  const at = async (atRevision: number): Promise<string> => {
    const { entries } = await store.list(everything, { atRevision });
    return entries.map((entry) => `${text(entry.value)}@${entry.revision}`).join(" ");
  };
  assert.deepEqual(await Promise.all([0, 1, 2, 3, 4, 5, 6].map(at)), [
    "",
    "b1@1",
    "b1@1 c2@2",
    "c2@2",
    "a4@4 c2@2",
    "a4@4 b5@5 c2@2",
    "a4@4 b5@5 c6@6",
  ]);
}

async function watchReplays(store: Store): Promise<void> {
  for (let at = 0; at < 700; at++) await store.put(`a/${at}`, bytes(`${at}`), 0);
  await store.put("b", bytes("other"), 0);
  const seen: number[] = [];
  let live: Promise<unknown> | undefined;
  for await (const events of store.watch(prefixRange("a/"), 10, never)) {
    live ??= writeAll(store, 20);
    seen.push(...events.map((event) => event.revision));
    if (seen.at(-1) === 721) break;
  }
  await live;
  const expected = Array.from({ length: 711 }, (_, at) => at + 11).filter((at) => at !== 701);
  assert.deepEqual(seen, expected);
}

async function writeAll(store: Store, count: number): Promise<void> {
  for (let at = 0; at < count; at++) await store.put(`a/live/${at}`, bytes(""), 0);
}

async function compacts(store: Store): Promise<void> {
  for (let at = 0; at < 600; at++) await store.put("a", bytes(`${at}`), at);
  await store.put("gone", bytes(""), 0);
  await store.delete("gone", 601);
  await Promise.all([store.compact(599), store.put("b", bytes("b"), 0), store.compact(300)]);
  assert.equal(await store.compactedRevision(), 599);
  await assert.rejects(store.list(everything, { atRevision: 598 }), CompactedError);
  await assert.rejects(take(store.watch(everything, 598, never), 1), CompactedError);
  const [first] = (await store.list(everything, { atRevision: 599 })).entries;
  assert.deepEqual([text(first!.value), first!.revision], ["598", 599]);
  assert.deepEqual((await take(store.watch(everything, 599, never), 4)).map(describe), [
    "put a=599@600 after 598@599",
    "put gone=@601",
    "delete gone@602 after @601",
    "put b=b@603",
  ]);
  await store.compact(603);
  assert.deepEqual(
    (await store.list(everything)).entries.map((entry) => text(entry.value)),
    ["599", "b"],
  );
}

async function refusesTheFuture(store: Store): Promise<void> {
  await store.put("a", bytes(""), 0);
  await assert.rejects(store.list(everything, { atRevision: 2 }), FutureRevisionError);
  await assert.rejects(take(store.watch(everything, 2, never), 1), FutureRevisionError);
  await assert.rejects(store.compact(2), FutureRevisionError);
}

async function concurrentWriters(store: Store): Promise<void> {
  const events: StoreEvent[] = [];
  store.subscribe?.(everything, (some) => events.push(...some));
  const wins: number[] = [];
  for (let round = 0, expected = 0; round < 30; round++) {
    const results = await Promise.all(
      Array.from({ length: 20 }, (_, writer) => store.put("a", bytes(`${writer}`), expected)),
    );
    const won = results.filter((result) => result.ok);
    assert.equal(won.length, 1);
    expected = won[0]!.revision;
    wins.push(expected);
  }
  assert.deepEqual(
    wins,
    Array.from({ length: 30 }, (_, at) => at + 1),
  );
  const watched = await take(store.watch(everything, 0, never), 30);
  assert.deepEqual(
    watched.map((event) => event.revision),
    wins,
  );
  if (store.subscribe) assert.deepEqual(events.map(describe), watched.map(describe));
}

async function slowWatcher(store: Store): Promise<void> {
  const slow = store.watch(everything, 0, never)[Symbol.asyncIterator]();
  const first = slow.next();
  for (let at = 0; at < conformanceBacklogMax * 2 + 2; at++) {
    await store.put(`${at}`, bytes(""), 0);
    if (at === 0) await first;
  }
  await assert.rejects(slow.next(), SlowWatcherError);
  assert.equal((await take(store.watch(everything, 100, never), 2)).length, 2);
}

async function handsOverFirst(store: Store): Promise<void> {
  const order: string[] = [];
  await store.put("a", bytes("0"), 0);
  const take = (events: readonly StoreEvent[]): void => void order.push(...events.map(describe));
  using _ = store.subscribe?.(prefixRange("a"), take);
  if (store.subscribe === undefined) await takeAll(store.watch(prefixRange("a"), 0, never), take);
  order.length = 0;
  await store.put("a", bytes("1"), 1).then(() => order.push("resolved"));
  await store.put("b", bytes("1"), 0);
  assert.deepEqual(order, ["put a=1@2 after 0@1", "resolved"]);
}

/** Resolves when the first events have come; the others follow. */
function takeAll(
  watch: AsyncIterable<readonly StoreEvent[]>,
  take: (events: readonly StoreEvent[]) => void,
): Promise<void> {
  const first = Promise.withResolvers<void>();
  const read = async (): Promise<void> => {
    for await (const events of watch) {
      take(events);
      first.resolve();
    }
  };
  read().catch(first.reject);
  return first.promise;
}

async function closes(store: Store): Promise<void> {
  const ending = take(store.watch(everything, 0, never), 5);
  const aborting = new AbortController();
  const aborted = take(store.watch(everything, 0, aborting.signal), 5);
  aborting.abort();
  assert.deepEqual(await aborted, []);
  const pending = store.put("a", bytes("1"), 0);
  await store[Symbol.asyncDispose]();
  assert.deepEqual(await pending, { ok: true, revision: 1 });
  assert.equal((await ending).length, 1);
  await assert.rejects(store.put("b", bytes(""), 0), /closed/);
  await assert.rejects(store.get("a"), /closed/);
}

async function manyKeys(store: Store): Promise<void> {
  const keys = Array.from({ length: 100_000 }, (_, at) => `k/${(at * 7_919) % 100_000}`);
  await Promise.all(keys.map((key) => store.put(key, bytes(key), 0)));
  const { entries, revision, more } = await store.list(everything);
  assert.deepEqual([entries.length, revision, more], [100_000, 100_000, false]);
  assert.deepEqual(
    entries.map((entry) => entry.key),
    keys.sort(),
  );
  assert.equal(text((await store.get("k/4711"))!.value), "k/4711");
}

async function agreesWithModel(store: Store, seed: number): Promise<void> {
  const random = seededRandom(seed);
  const pick = (count: number): number => Math.floor(random() * count);
  const past: ReadonlyMap<string, Entry>[] = [new Map()];
  let compacted = 0;
  for (let step = 0; step < 600; step++) {
    const now = new Map(past.at(-1));
    const key = `k${pick(12)}`;
    const expected = random() < 0.9 ? (now.get(key)?.revision ?? 0) : pick(50);
    const fits = (now.get(key)?.revision ?? 0) === expected;
    const value = bytes(`${step}`);
    const remove = random() < 0.3;
    const result = await (remove ? store.delete(key, expected) : store.put(key, value, expected));
    assert.equal(result.ok, fits && (!remove || now.has(key)), `seed ${seed}, step ${step}`);
    if (result.ok) {
      if (remove) now.delete(key);
      else now.set(key, { key, value, revision: past.length });
      past.push(now);
    }
    if (step % 100 === 99) await store.compact((compacted += pick(past.length - compacted)));
    const atRevision = compacted + pick(past.length - compacted);
    const { entries } = await store.list(everything, { atRevision });
    const model = [...past[atRevision]!.values()].sort((a, b) => (a.key < b.key ? -1 : 1));
    assert.deepEqual(entries.map(plain), model.map(plain), `seed ${seed}, step ${step}`);
  }
}

async function take(
  watch: AsyncIterable<readonly StoreEvent[]>,
  count: number,
): Promise<StoreEvent[]> {
  const taken: StoreEvent[] = [];
  for await (const events of watch) {
    taken.push(...events);
    if (taken.length >= count) break;
  }
  return taken;
}

function describe(event: StoreEvent): string {
  const value = event.kind === "put" ? `=${text(event.value)}` : "";
  const { previous } = event;
  const before = previous ? ` after ${text(previous.value)}@${previous.revision}` : "";
  return `${event.kind} ${event.key}${value}@${event.revision}${before}`;
}

function plain(found: unknown): unknown {
  return JSON.parse(
    JSON.stringify(found, (key, value: unknown) =>
      key === "value" ? text(Uint8Array.from(bytesOf(value))) : value,
    ),
  );
}

/** A Buffer has turned itself into its JSON form by the time a replacer sees it. */
function bytesOf(value: unknown): Iterable<number> {
  const form = value as { data?: number[] };
  return form.data ?? Object.values(value as Record<string, number>);
}

function bytes(value: string): Uint8Array {
  return new TextEncoder().encode(value);
}

function text(value: Uint8Array): string {
  return new TextDecoder().decode(value);
}
