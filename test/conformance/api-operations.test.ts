import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { createTestServer, type TestServer } from "#test/api-server.ts";
import {
  collectionOf,
  sampleObject,
  samples,
  type Sample,
} from "#test/conformance/sample-objects.ts";

/**
 * What the conformance suite's "should support … API operations" and "should run through the lifecycle of …" ask of
 * every kind, one walk for all of them.
 */
for (const sample of samples) {
  test(`${sample.apiVersion} ${sample.kind} runs through its operations`, async () => {
    await using api = await createTestServer();
    await api.send("POST", "/api/v1/namespaces/default/serviceaccounts", {
      body: { metadata: { name: "default" } },
    });
    await isDiscovered(api, sample);
    const watch = await api.watch(`${collectionOf(sample)}?watch=1&labelSelector=walk%3D1`);
    const made = await createThree(api, sample);
    await isRead(api, sample, made);
    await isChanged(api, sample, made);
    if (sample.status !== undefined) await hasStatus(api, sample, made);
    await isDeleted(api, sample, made);
    await tellsWhatHappened(watch, made);
  });
}

async function isDiscovered(api: TestServer, sample: Sample): Promise<void> {
  const [group = "", version = ""] = sample.apiVersion.includes("/")
    ? sample.apiVersion.split("/")
    : ["", "v1"];
  if (group !== "") {
    const { groups } = (await api.send("GET", "/apis")).body as { groups: JsonObject[] };
    const found = groups.find(({ name }) => name === group);
    const versions = found?.versions as JsonObject[];
    assert.ok(versions.some((known) => known.version === version));
    const alone = (await api.send("GET", `/apis/${group}`)).body;
    assert.deepEqual(alone.versions, versions);
  }
  const root = group === "" ? "/api/v1" : `/apis/${sample.apiVersion}`;
  const { resources } = (await api.send("GET", root)).body as { resources: JsonObject[] };
  const found = resources.find(({ name }) => name === sample.resource);
  assert.equal(found?.kind, sample.kind);
  assert.equal(found?.namespaced, !sample.clusterScoped);
  assert.match(String(found?.storageVersionHash as string), /^[\w+/]{11}=$/);
}

async function createThree(api: TestServer, sample: Sample): Promise<JsonObject> {
  const collection = collectionOf(sample);
  let first: JsonObject | undefined;
  for (const base of ["a", "bb", "ccc"]) {
    const created = await api.send("POST", collection, { body: sampleObject(sample, base) });
    assert.equal(created.status, 201, created.text);
    first ??= created.body;
  }
  const again = await api.send("POST", collection, { body: sampleObject(sample, "a") });
  assert.deepEqual([again.status, again.body.reason], [409, "AlreadyExists"]);
  assert.ok(first);
  return first;
}

async function isRead(api: TestServer, sample: Sample, made: JsonObject): Promise<void> {
  const path = `${collectionOf(sample)}/${metadataOf(made).name as string}`;
  const read = (await api.send("GET", path)).body;
  assert.deepEqual([metadataOf(read).uid, read.spec], [metadataOf(made).uid, made.spec]);
  const selected = (await api.send("GET", `${collectionOf(sample)}?labelSelector=walk%3D1`)).body;
  assert.equal((selected.items as JsonObject[]).length, 3);
  const everywhere = collectionOf(sample).replace("/namespaces/default", "");
  const all = (await api.send("GET", `${everywhere}?labelSelector=walk%3D1`)).body;
  assert.equal((all.items as JsonObject[]).length, 3);
}

async function isChanged(api: TestServer, sample: Sample, made: JsonObject): Promise<void> {
  const path = `${collectionOf(sample)}/${metadataOf(made).name as string}`;
  const patch = { metadata: { annotations: { patched: "true" } } };
  const headers = { "content-type": "application/merge-patch+json" };
  const patched = await api.send("PATCH", path, { body: patch, headers });
  assert.deepEqual(annotationsOf(patched.body), ["patched"], patched.text);
  const strategic = { "content-type": "application/strategic-merge-patch+json" };
  const merged = await api.send("PATCH", path, {
    body: { metadata: { annotations: { merged: "true" } } },
    headers: strategic,
  });
  assert.deepEqual(annotationsOf(merged.body), ["merged", "patched"], merged.text);
  const next = structuredClone(merged.body) as { metadata: { annotations: JsonObject } };
  next.metadata.annotations.updated = "true";
  const updated = await api.send("PUT", path, { body: next });
  assert.deepEqual(annotationsOf(updated.body), ["merged", "patched", "updated"], updated.text);
  const stale = await api.send("PUT", path, { body: made });
  assert.deepEqual([stale.status, stale.body.reason], [409, "Conflict"]);
}

/** Metadata written through the status stays, as upstream's strategies have it. */
async function hasStatus(api: TestServer, sample: Sample, made: JsonObject): Promise<void> {
  const path = `${collectionOf(sample)}/${metadataOf(made).name as string}/status`;
  const headers = { "content-type": "application/merge-patch+json" };
  const body = {
    metadata: { annotations: { patchedstatus: "true" } },
    status: sample.status ?? {},
  };
  const patched = await api.send("PATCH", path, { body, headers });
  assert.equal(patched.status, 200, patched.text);
  assert.ok(annotationsOf(patched.body).includes("patchedstatus"));
  assert.deepEqual(pick(patched.body.status, sample.status), sample.status);
  const next = structuredClone((await api.send("GET", path)).body);
  assert.equal(metadataOf(next).uid, metadataOf(made).uid);
  const updated = await api.send("PUT", path, { body: next });
  assert.equal(updated.status, 200, updated.text);
}

/** Of what is there, what was asked for; defaults may have come to it. */
function pick(value: unknown, wanted: unknown): unknown {
  if (Array.isArray(wanted)) {
    const items = value as readonly unknown[];
    const kept = items.filter((item) => {
      const { type } = item as JsonObject;
      return type === undefined || wanted.some((one) => (one as JsonObject).type === type);
    });
    return kept.map((item, at) => pick(item, wanted[at]));
  }
  if (typeof wanted !== "object" || wanted === null) return value ?? null;
  const object = value as JsonObject;
  return Object.fromEntries(
    Object.entries(wanted as JsonObject).map(([key, inner]) => [key, pick(object[key], inner)]),
  );
}

async function isDeleted(api: TestServer, sample: Sample, made: JsonObject): Promise<void> {
  const path = `${collectionOf(sample)}/${metadataOf(made).name as string}`;
  const deleted = await api.send("DELETE", path);
  assert.ok(deleted.status === 200 || deleted.status === 202, deleted.text);
  if (sample.resource === "namespaces") return;
  const gone = await api.send("GET", path);
  if (gone.status !== 404) assert.ok(metadataOf(gone.body).deletionTimestamp);
  await api.send("DELETE", `${collectionOf(sample)}?labelSelector=walk%3D1`);
  const left = (await api.send("GET", `${collectionOf(sample)}?labelSelector=walk%3D1`)).body;
  for (const item of left.items as JsonObject[]) assert.ok(metadataOf(item).deletionTimestamp);
}

async function tellsWhatHappened(
  watch: Awaited<ReturnType<TestServer["watch"]>>,
  made: JsonObject,
): Promise<void> {
  watch.close();
  const types: string[] = [];
  for (let event = await watch.next(); event; event = await watch.next()) {
    if (metadataOf(event.object).name === metadataOf(made).name) types.push(event.type);
  }
  assert.equal(types[0], "ADDED");
  assert.ok(types.filter((type) => type === "MODIFIED").length >= 3);
}

function metadataOf(object: JsonObject): JsonObject {
  return (object.metadata ?? {}) as JsonObject;
}

function annotationsOf(object: JsonObject): readonly string[] {
  const { annotations } = metadataOf(object) as { annotations?: JsonObject };
  return Object.keys(annotations ?? {})
    .filter((key) => key === "merged" || key.startsWith("patched") || key === "updated")
    .toSorted();
}
