import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { seededRandom } from "#base/random.ts";
import { createTestServer, type TestServer, type TestWatch } from "#test/api-server.ts";

const configMaps = "/api/v1/namespaces/default/configmaps";

async function createNamed(api: TestServer, name: string, labels: JsonObject = {}) {
  const { body } = await api.send("POST", configMaps, { body: { metadata: { name, labels } } });
  return (body.metadata as JsonObject).resourceVersion as string;
}

function namesOf(list: JsonObject): readonly unknown[] {
  return (list.items as JsonObject[]).map((item) => (item.metadata as JsonObject).name);
}

test("a list in chunks is one picture, however much is written in between", async () => {
  await using api = await createTestServer();
  for (const name of ["a", "b", "c", "d", "e"]) await createNamed(api, name);
  const first = (await api.send("GET", `${configMaps}?limit=2`)).body;
  const metadata = first.metadata as JsonObject;
  assert.deepEqual([namesOf(first), metadata.remainingItemCount], [["a", "b"], 3]);
  await api.send("DELETE", `${configMaps}/c`);
  await createNamed(api, "cc");
  const next = `${configMaps}?limit=2&continue=${metadata.continue as string}`;
  const second = (await api.send("GET", next)).body;
  const { continue: more, resourceVersion } = second.metadata as JsonObject;
  assert.deepEqual([namesOf(second), resourceVersion], [["c", "d"], metadata.resourceVersion]);
  const third = (await api.send("GET", `${configMaps}?limit=2&continue=${more as string}`)).body;
  assert.deepEqual([namesOf(third), (third.metadata as JsonObject).continue], [["e"], undefined]);
});

test("a continue token outlives compaction only as an inconsistent one", async () => {
  await using api = await createTestServer();
  for (const name of ["a", "b", "c"]) await createNamed(api, name);
  const first = (await api.send("GET", `${configMaps}?limit=1`)).body;
  const token = (first.metadata as JsonObject).continue as string;
  await createNamed(api, "d");
  api.clock.advance(11 * 60_000);
  await new Promise((resolve) => setImmediate(resolve));
  const refused = await api.send("GET", `${configMaps}?limit=1&continue=${token}`);
  assert.deepEqual([refused.status, refused.body.reason], [410, "Expired"]);
  const fresh = (refused.body.metadata as JsonObject).continue as string;
  const rest = (await api.send("GET", `${configMaps}?continue=${fresh}`)).body;
  assert.deepEqual(namesOf(rest), ["b", "c", "d"]);
});

const selections: readonly (readonly [query: string, names: readonly string[]])[] = [
  ["labelSelector=tier%3Dfront", ["a", "b"]],
  ["labelSelector=tier", ["a", "b", "c"]],
  ["labelSelector=tier%20notin%20(front)", ["c", "d"]],
  ["fieldSelector=metadata.name%3Dc", ["c"]],
  ["fieldSelector=metadata.name!%3Dc", ["a", "b", "d"]],
  ["labelSelector=tier%3Dfront&fieldSelector=metadata.name%3Dc", []],
  ["labelSelector=tier%3Dfront&limit=1", ["a"]],
];

for (const [query, names] of selections) {
  test(`list with ${query} answers ${names.join(", ") || "nothing"}`, async () => {
    await using api = await createTestServer();
    for (const name of ["a", "b"]) await createNamed(api, name, { tier: "front" });
    await createNamed(api, "c", { tier: "back" });
    await createNamed(api, "d");
    assert.deepEqual(namesOf((await api.send("GET", `${configMaps}?${query}`)).body), names);
  });
}

function tokenOf(content: JsonObject): string {
  return Buffer.from(JSON.stringify(content)).toString("base64url");
}

const optionsAreInvalid = 'ListOptions.meta.k8s.io "" is invalid:';
const someToken = tokenOf({ v: "meta.k8s.io/v1", rv: 1, start: "a" });
const versions: readonly [query: string, status: number, message: string][] = [
  [
    "resourceVersion=x",
    400,
    'invalid resource version: resourceVersion: Invalid value: "x": strconv.ParseUint: parsing "x": invalid syntax',
  ],
  [
    "resourceVersion=999999&resourceVersionMatch=Exact",
    504,
    "Timeout: Too large resource version: 999999, current: ",
  ],
  [
    "resourceVersionMatch=Exact",
    422,
    `${optionsAreInvalid} resourceVersionMatch: Forbidden: resourceVersionMatch is forbidden unless resourceVersion is provided`,
  ],
  [
    "resourceVersion=1&resourceVersionMatch=Never",
    422,
    `${optionsAreInvalid} resourceVersionMatch: Unsupported value: "Never": supported values: "Exact", "NotOlderThan", ""`,
  ],
  [
    "sendInitialEvents=true",
    422,
    `${optionsAreInvalid} sendInitialEvents: Forbidden: sendInitialEvents is forbidden for list`,
  ],
  [
    "watch=1&sendInitialEvents=true",
    422,
    `${optionsAreInvalid} resourceVersionMatch: Forbidden: sendInitialEvents requires setting resourceVersionMatch to NotOlderThan`,
  ],
  ["fieldSelector=data.x%3D1", 400, '"data.x" is not a known field selector: '],
  ["continue=nonsense", 400, "invalid continue token: continue key is not valid"],
  [
    `continue=${tokenOf({ v: "x", rv: 1, start: "a" })}`,
    400,
    "invalid continue token: continue key is not valid: server does not recognize this encoded version x",
  ],
  [
    `continue=${tokenOf({ v: "meta.k8s.io/v1", rv: 1 })}`,
    400,
    "invalid continue token: continue key is not valid: encoded start key empty (version meta.k8s.io/v1)",
  ],
  [
    `continue=${someToken}&resourceVersion=1`,
    400,
    "specifying resource version is not allowed when using continue",
  ],
];

for (const [query, status, message] of versions) {
  test(`list with ${query} is refused in upstream's words`, async () => {
    await using api = await createTestServer();
    const answer = api.send("GET", `${configMaps}?${query}`);
    await new Promise((resolve) => setImmediate(resolve));
    api.clock.advance(3_000);
    const { body } = await answer;
    const text = String(body.message as string);
    assert.deepEqual([body.code, text.slice(0, message.length)], [status, message]);
  });
}

test("a list at an exact version shows what was there then", async () => {
  await using api = await createTestServer();
  const version = await createNamed(api, "a");
  await createNamed(api, "b");
  const query = `resourceVersion=${version}&resourceVersionMatch=Exact`;
  assert.deepEqual(namesOf((await api.send("GET", `${configMaps}?${query}`)).body), ["a"]);
});

async function take(watch: TestWatch, count: number): Promise<string[]> {
  const taken: string[] = [];
  while (taken.length < count) {
    const event = await watch.next();
    if (event === undefined) break;
    taken.push(`${event.type} ${String((event.object.metadata as JsonObject).name as string)}`);
  }
  return taken;
}

test("a selector turns a change of labels into an addition or a deletion", async () => {
  await using api = await createTestServer();
  const version = await createNamed(api, "a", { on: "no" });
  const watch = await api.watch(
    `${configMaps}?watch=1&labelSelector=on%3Dyes&resourceVersion=${version}`,
  );
  const headers = { "content-type": "application/merge-patch+json" };
  for (const on of ["yes", "no"]) {
    const body = { metadata: { labels: { on } } };
    await api.send("PATCH", `${configMaps}/a`, { body, headers });
  }
  assert.deepEqual(await take(watch, 2), ["ADDED a", "DELETED a"]);
  watch.close();
});

test("a watch of one object by its path hears of this object alone", async () => {
  await using api = await createTestServer();
  const version = await createNamed(api, "a");
  const watch = await api.watch(
    `/api/v1/watch/namespaces/default/configmaps/ab?resourceVersion=${version}`,
  );
  for (const name of ["abc", "ab", "b"]) await createNamed(api, name);
  await api.send("DELETE", `${configMaps}/ab`);
  assert.deepEqual(await take(watch, 2), ["ADDED ab", "DELETED ab"]);
  watch.close();
});

test("a watch from a version replays what came after it", async () => {
  await using api = await createTestServer();
  const version = await createNamed(api, "a");
  await createNamed(api, "b");
  await api.send("DELETE", `${configMaps}/a`);
  const watch = await api.watch(`${configMaps}?watch=1&resourceVersion=${version}`);
  await createNamed(api, "c");
  assert.deepEqual(await take(watch, 3), ["ADDED b", "DELETED a", "ADDED c"]);
  watch.close();
});

test("a watch from a version misses nothing that is written while it opens", async () => {
  await using api = await createTestServer();
  for (let steps = 0; steps < 60; steps += 1) {
    const version = await createNamed(api, `from-${steps}`);
    await createNamed(api, `before-${steps}`);
    const creating = createNamed(api, `while-${steps}`);
    for (let step = 0; step < steps; step += 1) await Promise.resolve();
    const watch = await api.watch(`${configMaps}?watch=1&resourceVersion=${version}`);
    await creating;
    await createNamed(api, `after-${steps}`);
    assert.deepEqual(
      await take(watch, 2),
      [`ADDED before-${steps}`, `ADDED while-${steps}`],
      `it opens ${steps} steps after a write began`,
    );
    watch.close();
  }
});

test("sendInitialEvents ends with an annotated bookmark; bookmarks come every minute and before the end", async () => {
  await using api = await createTestServer();
  const version = await createNamed(api, "a");
  const watch = await api.watch(
    `${configMaps}?watch=1&sendInitialEvents=true&resourceVersionMatch=NotOlderThan&allowWatchBookmarks=true&timeoutSeconds=90`,
  );
  assert.equal((await watch.next())?.type, "ADDED");
  assert.deepEqual(await watch.next(), {
    type: "BOOKMARK",
    object: {
      kind: "ConfigMap",
      apiVersion: "v1",
      metadata: {
        resourceVersion: version,
        annotations: { "k8s.io/initial-events-end": "true" },
      },
    },
  });
  api.clock.advance(60_000);
  assert.equal((await watch.next())?.type, "BOOKMARK");
  api.clock.advance(30_000);
  assert.equal((await watch.next())?.type, "BOOKMARK");
  assert.equal(await watch.next(), undefined);
});

test("a watch goes on from a version before the server's start, as long as the store knows it", async () => {
  await using first = await createTestServer();
  const resourceVersion = await createNamed(first, "a");
  await createNamed(first, "b");
  await first.send("DELETE", `${configMaps}/a`);
  await using api = await createTestServer({ store: first.store });
  const path = `${configMaps}?watch=1&resourceVersion=${resourceVersion}`;
  const watch = await api.watch(path);
  await createNamed(api, "c");
  const events = [await watch.next(), await watch.next(), await watch.next()];
  assert.deepEqual(
    events.map((event) => event && [event.type, nameOf(event.object)]),
    [
      ["ADDED", "b"],
      ["DELETED", "a"],
      ["ADDED", "c"],
    ],
  );
  await api.store.compact(await api.store.revision());
  await using last = await createTestServer({ store: first.store });
  const tooOld = await last.watch(path);
  const event = await tooOld.next();
  assert.deepEqual(
    [event?.type, event?.object.code, event?.object.reason],
    ["ERROR", 410, "Expired"],
  );
  assert.equal(await tooOld.next(), undefined);
});

test("a reader that does not read is cut off and holds nothing", async () => {
  await using api = await createTestServer();
  await createNamed(api, "a");
  const watch = await api.watch(`${configMaps}?watch=1&resourceVersion=0`);
  const headers = { "content-type": "application/merge-patch+json" };
  for (let count = 0; count <= 5_200; count += 1) {
    await api.send("PATCH", `${configMaps}/a`, { body: { data: { n: String(count) } }, headers });
    if (count % 100 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  let events = 0;
  while ((await watch.next()) !== undefined) events += 1;
  assert.ok(events <= 600, String(events));
});

for (let seed = 1; seed <= 10; seed += 1) {
  test(`the events of a watch make the list, seed ${seed}`, async () => {
    await using api = await createTestServer();
    const random = seededRandom(seed);
    const selector = seed % 2 === 0 ? "&labelSelector=on%3D1" : "";
    await writeAtRandom(api, random, 20);
    const list = (await api.send("GET", `${configMaps}?limit=1000${selector}`)).body;
    const seen = new Map((list.items as JsonObject[]).map((item) => [nameOf(item), item]));
    const { resourceVersion } = list.metadata as JsonObject;
    const watch = await api.watch(
      `${configMaps}?watch=1&resourceVersion=${resourceVersion as string}${selector}&allowWatchBookmarks=true&timeoutSeconds=30`,
    );
    await writeAtRandom(api, random, 60);
    api.clock.advance(30_000);
    for (let event = await watch.next(); event; event = await watch.next()) {
      const had = seen.has(nameOf(event.object));
      if (event.type === "BOOKMARK") continue;
      assert.equal(had, event.type !== "ADDED", `${event.type} ${nameOf(event.object)}`);
      if (event.type === "DELETED") seen.delete(nameOf(event.object));
      else seen.set(nameOf(event.object), event.object);
    }
    const after = (await api.send("GET", `${configMaps}?limit=1000${selector}`)).body;
    const sorted = [...seen.values()].toSorted((a, b) => (nameOf(a) < nameOf(b) ? -1 : 1));
    assert.deepEqual(sorted, after.items);
  });
}

function nameOf(object: JsonObject): string {
  return (object.metadata as JsonObject).name as string;
}

async function writeAtRandom(api: TestServer, random: () => number, count: number): Promise<void> {
  for (let step = 0; step < count; step += 1) {
    const name = `m${Math.floor(random() * 8)}`;
    const labels = { on: String(Math.floor(random() * 2)) };
    const body = { metadata: { name, labels }, data: { step: String(step) } };
    const act = random();
    if (act < 0.4) await api.send("POST", configMaps, { body });
    else if (act < 0.8) await api.send("PUT", `${configMaps}/${name}`, { body });
    else await api.send("DELETE", `${configMaps}/${name}`);
  }
}

test("tables and metadata alone come as meta.k8s.io/v1beta1 when that is asked for", async () => {
  await using api = await createTestServer();
  await createNamed(api, "a");
  const get = async (path: string, as: string, version: string) => {
    const accept = `application/json;as=${as};v=${version};g=meta.k8s.io`;
    return api.send("GET", `${configMaps}${path}`, { headers: { accept } });
  };
  const beta = "meta.k8s.io/v1beta1";
  for (const path of ["/a", ""]) {
    const table = (await get(path, "Table", "v1beta1")).body;
    const [row] = table.rows as { object: JsonObject }[];
    assert.deepEqual([table.apiVersion, row?.object.apiVersion], [beta, beta]);
  }
  const partial = (await get("/a", "PartialObjectMetadata", "v1beta1")).body;
  assert.deepEqual([partial.kind, partial.apiVersion], ["PartialObjectMetadata", beta]);
  const list = (await get("", "PartialObjectMetadataList", "v1beta1")).body;
  const [item] = list.items as JsonObject[];
  assert.deepEqual([list.apiVersion, item?.apiVersion], [beta, beta]);
  assert.equal((await get("/a", "Table", "v2")).status, 406);
});

test("answers come as YAML, as a Table, as metadata alone, and pretty when that is asked for", async () => {
  await using api = await createTestServer();
  await createNamed(api, "a");
  const get = async (accept: string, query = "") =>
    api.send("GET", `${configMaps}/a${query}`, { headers: { accept } });
  assert.match((await get("application/yaml")).text, /^kind: ConfigMap\napiVersion: v1\n/);
  const table = (await get("application/json;as=Table;v=v1;g=meta.k8s.io")).body;
  const [row] = table.rows as JsonObject[];
  assert.deepEqual([table.kind, row?.cells], ["Table", ["a", 0, "0s"]]);
  const partial = (await get("application/json;as=PartialObjectMetadata;v=v1;g=meta.k8s.io")).body;
  assert.equal(partial.kind, "PartialObjectMetadata");
  assert.match((await get("*/*", "?pretty=true")).text, /^\{\n {2}"kind": "ConfigMap",\n/);
});
