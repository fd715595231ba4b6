import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { seededRandom, type Random } from "#base/random.ts";
import { createTestServer, type TestServer, type TestWatch } from "#test/api-server.ts";

// Writers, watchers and compactions in a random mixture: no watcher ever sees a gap, an event twice or a going back.

const collection = "/api/v1/namespaces/default/configmaps";
const selectors = ["", "&labelSelector=on%3D1", "&fieldSelector=metadata.name%3Dm2"];

/** A client that lists and watches, and begins again as clients do. */
class Follower {
  readonly seen = new Map<string, string>();
  readonly #api: TestServer;
  readonly #selector: string;
  #watch: TestWatch | undefined;
  #version = 0;

  constructor(api: TestServer, selector: string) {
    this.#api = api;
    this.#selector = selector;
  }

  async open(): Promise<void> {
    if (this.#version === 0) await this.#list();
    const query = `watch=1&allowWatchBookmarks=true&resourceVersion=${this.#version}${this.#selector}`;
    this.#watch = await this.#api.watch(`${collection}?${query}`);
  }

  /** Drops the connection; what was not read is gone, and the next watch has to bring it. */
  drop(): void {
    this.#watch?.close();
    this.#watch = undefined;
  }

  /** Takes up again where it was, with all that was written since. */
  async reopen(): Promise<void> {
    this.drop();
    await this.open();
  }

  async read(events: number): Promise<void> {
    if (this.#watch === undefined) await this.open();
    for (let left = events; left > 0; left -= 1) {
      const event = await this.#watch?.next();
      if (event === undefined) return this.drop();
      if (event.type === "ERROR") {
        assert.equal(event.object.code, 410);
        this.#version = 0;
        return this.drop();
      }
      this.#take(event.type, event.object);
    }
  }

  /** Reads to the end, then shows what it holds. */
  async finish(): Promise<ReadonlyMap<string, string>> {
    for (;;) {
      if (this.#watch === undefined) await this.open();
      const watch = this.#watch;
      watch?.close();
      await this.read(Number.POSITIVE_INFINITY);
      if (this.#version > 0) return this.seen;
    }
  }

  async #list(): Promise<void> {
    const { body } = await this.#api.send("GET", `${collection}?x=1${this.#selector}`);
    this.seen.clear();
    for (const item of body.items as JsonObject[]) {
      this.seen.set(nameOf(item), versionOf(item));
    }
    this.#version = Number(versionOf(body));
  }

  #take(type: string, object: JsonObject): void {
    const version = Number(versionOf(object));
    assert.ok(version >= this.#version, "a watch never goes back");
    if (type !== "BOOKMARK") assert.ok(version > this.#version, "no event comes twice");
    this.#version = version;
    const name = nameOf(object);
    if (type === "ADDED") assert.ok(!this.seen.has(name), "what is added was not there");
    if (type === "MODIFIED" || type === "DELETED") assert.ok(this.seen.has(name), "no gap");
    if (type === "DELETED") this.seen.delete(name);
    else if (type !== "BOOKMARK") this.seen.set(name, versionOf(object));
  }
}

for (let seed = 1; seed <= 12; seed += 1) {
  test(`watchers see every change once and in order, seed ${seed}`, async () => {
    const random = seededRandom(seed);
    await using api = await createTestServer();
    const followers = Array.from(
      { length: 6 },
      (_, at) => new Follower(api, selectors[at % selectors.length] ?? ""),
    );
    for (const follower of followers) await follower.open();
    for (let step = 0; step < 60; step += 1) {
      await writeSome(api, random);
      if (random() < 0.1) await api.store.compact(await api.store.revision());
      for (const follower of followers) {
        if (random() < 0.2) follower.drop();
        else if (random() < 0.1) await follower.reopen();
      }
    }
    const { body } = await api.send("GET", collection);
    for (const [at, follower] of followers.entries()) {
      const wanted = (body.items as JsonObject[]).filter((item) => isSelected(item, at % 3));
      assert.deepEqual(
        Object.fromEntries(await follower.finish()),
        Object.fromEntries(wanted.map((item) => [nameOf(item), versionOf(item)])),
      );
    }
  });
}

function isSelected(item: JsonObject, selector: number): boolean {
  if (selector === 0) return true;
  if (selector === 2) return nameOf(item) === "m2";
  const { labels } = item.metadata as { labels?: JsonObject };
  return labels?.on === "1";
}

async function writeSome(api: TestServer, random: Random): Promise<void> {
  for (let count = Math.floor(random() * 8); count > 0; count -= 1) {
    const name = `m${Math.floor(random() * 5)}`;
    const labels = { on: random() < 0.5 ? "1" : "0" };
    const choice = random();
    if (choice < 0.25) await api.send("DELETE", `${collection}/${name}`);
    else if (choice < 0.6) {
      await api.send("POST", collection, { body: { metadata: { name, labels } } });
    } else {
      const body = { metadata: { labels }, data: { n: String(random()) } };
      const headers = { "content-type": "application/merge-patch+json" };
      await api.send("PATCH", `${collection}/${name}`, { body, headers });
    }
  }
}

function nameOf(object: JsonObject): string {
  return String((object.metadata as JsonObject).name as string);
}

function versionOf(object: JsonObject): string {
  return String((object.metadata as JsonObject).resourceVersion as string);
}
