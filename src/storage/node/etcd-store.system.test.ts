import assert from "node:assert/strict";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { Client, credentials } from "@grpc/grpc-js";
import { wireMethods } from "#base/node/wire-table.ts";
import { createMemoryPki } from "#apiserver/node/pki/pki-directory.ts";
import { openEtcdStore } from "#storage/node/etcd-store.ts";
import { conformanceBacklogMax, storeConformance } from "#storage/store-conformance.ts";
import { ValueTooLargeError, type Store } from "#storage/store.ts";
import { freePorts, startEtcd, startEtcdCluster, type TestEtcd } from "#test/etcd.ts";
import { missing } from "#test/needs.ts";

const skip = missing("etcd");
const running: TestEtcd[] = [];
after(() => Promise.all(running.map((etcd) => etcd[Symbol.asyncDispose]())));

storeConformance("etcd", openFresh, skip);

/** Every check of the suite begins at revision 0, which an etcd has once. */
async function openFresh(): Promise<Store> {
  await Promise.all(running.splice(0).map((etcd) => etcd[Symbol.asyncDispose]()));
  const etcd = await startEtcd();
  running.push(etcd);
  return openEtcdStore({ endpoints: [etcd.endpoint], backlogMax: conformanceBacklogMax });
}

const everything = { start: "", end: "" };

test(
  "openEtcdStore() waits for an etcd that is not there yet, and says when it stays away",
  { skip },
  async () => {
    await using etcd = await startEtcd({ stopped: true });
    const away = openEtcdStore({ endpoints: [etcd.endpoint], openTimeoutMs: 0 });
    await assert.rejects(
      away,
      /^Error: Cannot open the store in etcd at http:\S+: no answer in 0 s$/,
    );
    const told = Promise.withResolvers<string>();
    const opening = openEtcdStore({ endpoints: [etcd.endpoint], onWaiting: told.resolve });
    assert.match(
      await told.promise,
      /^Cannot open the store: etcd does not answer: .*ECONNREFUSED/,
    );
    await etcd.start();
    await using store = await opening;
    assert.equal(await store.revision(), 0);
  },
);

test(
  "openEtcdStore() keeps every acknowledged write and every watch across crashes of etcd",
  { skip },
  async () => {
    await using etcd = await startEtcd();
    const [gone] = await freePorts(1);
    const endpoints = [`http://127.0.0.1:${gone}`, etcd.endpoint];
    await using store = await openEtcdStore({ endpoints });
    const watched: number[] = [];
    // The writes, and one more to end with.
    const watching = (async () => {
      for await (const events of store.watch(everything, 0, AbortSignal.timeout(60_000))) {
        watched.push(...events.map((event) => event.revision));
        if (watched.at(-1) === 601) break;
      }
    })();
    const acknowledged = new Map<string, number>();
    const write = async (writer: number): Promise<void> => {
      for (let at = 0; at < 150; at += 1) {
        const key = `${writer}/${at}`;
        const result = await store.put(key, new TextEncoder().encode(key), 0);
        if (result.ok) acknowledged.set(key, result.revision);
        if (writer === 0 && at % 50 === 25) {
          await etcd.kill();
          await etcd.start();
        }
      }
    };
    await Promise.all([0, 1, 2, 3].map(write));
    const { entries, revision } = await store.list(everything);
    assert.deepEqual(new Map(entries.map((entry) => [entry.key, entry.revision])), acknowledged);
    assert.equal(acknowledged.size, 600, "no write was lost or refused");
    await store.put("last", new Uint8Array(), 0);
    await watching;
    const expected = Array.from({ length: revision + 1 }, (_, at) => at + 1);
    assert.deepEqual(watched, expected, "every revision once, in order");
  },
);

test(
  "two stores of one etcd see each other's writes; strangers' writes do not hold up who waits",
  { skip },
  async () => {
    await using etcd = await startEtcd();
    const endpoints = [etcd.endpoint];
    await using first = await openEtcdStore({ endpoints });
    await using second = await openEtcdStore({ endpoints });
    await using stranger = await openEtcdStore({ endpoints, prefix: "/kogge2" });
    const stop = new AbortController();
    const seen: string[] = [];
    const passed = new Map<number, () => void>();
    const progress = (revision: number): void => {
      for (const [wanted, done] of passed) if (revision >= wanted) done();
    };
    const watching = (async () => {
      const events = second.watch(everything, 0, stop.signal, progress);
      for await (const some of events)
        seen.push(...some.map((event) => `${event.kind} ${event.key}`));
    })();
    await first.put("a", new Uint8Array([1]), 0);
    await stranger.put("b", new Uint8Array([2]), 0);
    const { promise, resolve } = Promise.withResolvers<void>();
    const newest = await second.revision();
    assert.equal(newest, 2);
    passed.set(newest, resolve);
    await promise;
    const { entries } = await second.list(everything);
    assert.deepEqual([seen, entries.map((entry) => entry.key)], [["put a"], ["a"]]);
    assert.deepEqual(
      (await stranger.list(everything)).entries.map(({ key }) => key),
      ["b"],
    );
    stop.abort();
    await watching;
  },
);

test(
  "a compaction by another server ends a watch from before it; its own number is found",
  { skip },
  async () => {
    await using etcd = await startEtcd();
    await using first = await openEtcdStore({ endpoints: [etcd.endpoint] });
    await using second = await openEtcdStore({ endpoints: [etcd.endpoint] });
    for (let at = 0; at < 40; at += 1) await first.put("a", new Uint8Array([at]), at);
    await first.compact(37);
    assert.equal(await second.compactedRevision(), 37);
    await second.compact(20);
    const watch = second.watch(everything, 36, new AbortController().signal);
    await assert.rejects(watch[Symbol.asyncIterator]().next(), { compactedRevision: 37 });
  },
);

test("what etcd refuses is told in words", { skip }, async () => {
  await using etcd = await startEtcd();
  await using store = await openEtcdStore({ endpoints: [etcd.endpoint] });
  await assert.rejects(store.put("big", new Uint8Array(1_700_000), 0), ValueTooLargeError);
  await assert.rejects(store.put("bigger", new Uint8Array(4_000_000), 0), ValueTooLargeError);
  await assert.rejects(openEtcdStore({ endpoints: ["127.0.0.1:2379"] }), /must be a URL like/);
});

test(
  "a member of three dies, one after the other: writes and watches go on",
  { skip },
  async () => {
    await using cluster = await startEtcdCluster(3);
    const { members } = cluster;
    const endpoints = members.map(({ endpoint }) => endpoint);
    await using store = await openEtcdStore({ endpoints });
    const seen: number[] = [];
    const watching = (async () => {
      for await (const events of store.watch(everything, 0, AbortSignal.timeout(60_000))) {
        seen.push(...events.map(({ revision }) => revision));
        if (seen.at(-1) === 91) break;
      }
    })();
    const written: number[] = [];
    for (let at = 0; at < 90; at += 1) {
      const result = await store.put(`k${at}`, new TextEncoder().encode(`${at}`), 0);
      if (result.ok) written.push(result.revision);
      // Two of three are enough; the one that was killed comes back before the next one goes.
      if (at % 30 === 10) await members[Math.floor(at / 30)]?.kill();
      if (at % 30 === 20) await members[Math.floor(at / 30)]?.start();
    }
    assert.equal(written.length, 90);
    await store.put("last", new Uint8Array(), 0);
    await watching;
    const all = Array.from({ length: 91 }, (_, at) => at + 1);
    assert.deepEqual([written, seen], [all.slice(0, 90), all]);
  },
);

test("an etcd with users refuses who is none of them, at once", { skip }, async () => {
  await using etcd = await startEtcd();
  await using store = await openEtcdStore({ endpoints: [etcd.endpoint] });
  await store.put("a", new Uint8Array(), 0);
  await enableAuthentication(etcd.endpoint);
  const refused = {
    message: 'Cannot write "b": etcd refuses this client: user name is empty',
  };
  await assert.rejects(store.put("b", new Uint8Array(), 0), refused);
  const opening = openEtcdStore({ endpoints: [etcd.endpoint] });
  await assert.rejects(opening, /^Error: Cannot open the store: etcd refuses this client/);
  const watch = store.watch(everything, 0, new AbortController().signal);
  await assert.rejects(watch[Symbol.asyncIterator]().next(), /etcd refuses this client/);
});

test(
  "openEtcdStore() speaks TLS with client certificates and trusts one authority",
  { skip },
  async () => {
    const pki = createMemoryPki(Date.now());
    const directory = mkdtempSync(join(tmpdir(), "kogge-etcd-pki-"));
    const file = (name: string, text: string): string => {
      writeFileSync(join(directory, name), text);
      return join(directory, name);
    };
    const server = pki.certificate("etcd", {
      subject: { commonName: "etcd" },
      use: "server",
      dnsNames: [],
      ipAddresses: ["127.0.0.1"],
    });
    const identity = (commonName: string) =>
      pki.certificate(commonName, { subject: { commonName }, use: "client" });
    const bytes = (text: string) => new TextEncoder().encode(text);
    const tlsOf = (name: string) => {
      const { certificate, key } = identity(name);
      return {
        authority: bytes(pki.authority.certificate),
        certificate: bytes(certificate),
        key: bytes(key),
      };
    };
    const ca = file("ca.pem", pki.authority.certificate);
    const words = ["--client-cert-auth", "--trusted-ca-file", ca];
    words.push("--cert-file", file("server.pem", server.certificate));
    words.push("--key-file", file("server.key", server.key));
    try {
      await using etcd = await startEtcd({ scheme: "https", words });
      const endpoints = [etcd.endpoint];
      await using store = await openEtcdStore({ endpoints, tls: tlsOf("kogge") });
      assert.deepEqual(await store.put("a", new Uint8Array(), 0), { ok: true, revision: 1 });
      const otherName = openEtcdStore({
        endpoints: [etcd.endpoint.replace("127.0.0.1", "localhost")],
        openTimeoutMs: 0,
        tls: tlsOf("kogge"),
      });
      await assert.rejects(otherName, ({ cause }: Error) =>
        /altnames/.test((cause as Error).message),
      );
      const stranger = openEtcdStore({
        endpoints,
        openTimeoutMs: 0,
        tls: { ...tlsOf("x"), authority: bytes(createMemoryPki(Date.now()).authority.certificate) },
      });
      await assert.rejects(stranger, ({ cause }: Error) =>
        /certificate/.test((cause as Error).message),
      );
    } finally {
      rmSync(directory, { recursive: true });
    }
  },
);

/** What `etcdctl auth enable` does after `user add root` and `user grant-role root root`. */
async function enableAuthentication(endpoint: string): Promise<void> {
  const calls = {
    UserAdd: "name 1 string, password 2 string",
    RoleAdd: "name 1 string",
    UserGrantRole: "user 1 string, role 2 string",
    AuthEnable: "",
  };
  const names = Object.keys(calls);
  const methods = names.map((name) => [name, { request: name, response: "Answer" }] as const);
  const table = {
    package: "etcdserverpb",
    messages: { ...calls, Answer: "" },
    enums: {},
    services: [{ name: "Auth", methods: Object.fromEntries(methods) }],
  };
  const client = new Client(endpoint.replace("http://", ""), credentials.createInsecure());
  const request = { name: "root", password: "x", user: "root", role: "root" };
  for (const [, { path, requestSerialize, responseDeserialize }] of wireMethods(table)) {
    const sent = { ...request };
    await new Promise<void>((resolve, reject) => {
      client.makeUnaryRequest(path, requestSerialize, responseDeserialize, sent, (error) =>
        error ? reject(error) : resolve(),
      );
    });
  }
  client.close();
}
