import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { decodeProtobuf } from "#api/protobuf/codec.ts";
import { admin, createTestServer, requestOf, type TestServer } from "#test/api-server.ts";

const configMaps = "/api/v1/namespaces/default/configmaps";
/** What client-go asks for. */
const accept = "application/vnd.kubernetes.protobuf,application/json";

async function answer(api: TestServer, path: string, headers: Record<string, string> = { accept }) {
  const response = await api.server.handle(requestOf("GET", path, { headers }));
  if (response.kind !== "bytes") throw new Error(`Cannot read a "${response.kind}" answer`);
  const bytes = Buffer.concat([...response.chunks]);
  return { status: response.status, type: new Map(response.headers).get("content-type"), bytes };
}

async function createdMap(api: TestServer, name: string): Promise<JsonObject> {
  const body = { metadata: { name, labels: { on: "1" } }, data: { text: "ä€𝄞", empty: "" } };
  return (await api.send("POST", configMaps, { body })).body;
}

test("objects, lists and refusals come in protobuf where it is accepted first", async () => {
  await using api = await createTestServer();
  const made = await createdMap(api, "a");
  const got = await answer(api, `${configMaps}/a`);
  assert.deepEqual([got.status, got.type], [200, "application/vnd.kubernetes.protobuf"]);
  assert.deepEqual(decodeProtobuf(got.bytes), made);
  const list = decodeProtobuf((await answer(api, configMaps)).bytes);
  const { kind: _kind, apiVersion: _version, ...item } = made;
  assert.deepEqual(list, { ...(await api.send("GET", configMaps)).body, items: [item] });
  const missing = await answer(api, `${configMaps}/none`);
  assert.equal(missing.status, 404);
  assert.deepEqual(
    decodeProtobuf(missing.bytes),
    (await api.send("GET", `${configMaps}/none`)).body,
  );
});

test("metadata alone comes in protobuf, a table never does", async () => {
  await using api = await createTestServer();
  const made = await createdMap(api, "a");
  const as = "as=PartialObjectMetadataList;g=meta.k8s.io;v=v1";
  const list = await answer(api, configMaps, {
    accept: `application/vnd.kubernetes.protobuf;${as},application/json;${as}`,
  });
  const { items } = decodeProtobuf(list.bytes);
  assert.deepEqual(items, [{ metadata: made.metadata }]);
  const table = "as=Table;g=meta.k8s.io;v=v1";
  const rows = await answer(api, configMaps, {
    accept: `application/vnd.kubernetes.protobuf;${table},application/json;${table}`,
  });
  assert.equal(rows.type, "application/json");
});

test("JSON is answered where it is wished for more, and CBOR alone is refused", async () => {
  await using api = await createTestServer();
  await createdMap(api, "a");
  const types = await Promise.all(
    [
      "application/json,application/vnd.kubernetes.protobuf",
      "application/vnd.kubernetes.protobuf;q=0.5,application/json",
      "application/cbor,application/json",
      "application/cbor",
    ].map(async (wish) => {
      const { status, type } = await answer(api, `${configMaps}/a`, { accept: wish });
      return [status, type];
    }),
  );
  const json = [200, "application/json"];
  assert.deepEqual(types, [json, json, json, [406, "application/json"]]);
  const headers = { "content-type": "application/cbor" };
  const refused = await api.send("POST", configMaps, { text: "\u{d9}", headers });
  assert.deepEqual([refused.status, refused.body.reason], [415, "UnsupportedMediaType"]);
});

test("a watch in protobuf is length-delimited events, its initial ones as later ones", async () => {
  await using api = await createTestServer();
  const first = await createdMap(api, "a");
  const request = requestOf("GET", `${configMaps}?watch=1`, { headers: { accept }, user: admin });
  const response = await api.server.handle(request);
  assert.equal(response.kind, "stream");
  assert.deepEqual(response.headers[0], [
    "content-type",
    "application/vnd.kubernetes.protobuf;stream=watch",
  ]);
  const received: Uint8Array[] = [];
  const flow = response.frames.start({
    write: (bytes) => received.push(bytes) > 0,
    end: () => {},
  });
  const second = await createdMap(api, "b");
  await new Promise((resolve) => setImmediate(resolve));
  flow.stop();
  const events = eventsOf(Buffer.concat(received));
  assert.deepEqual(events, [
    { type: "ADDED", object: first },
    { type: "ADDED", object: second },
  ]);
});

function eventsOf(bytes: Buffer): readonly JsonObject[] {
  const events: JsonObject[] = [];
  for (let at = 0; at < bytes.length;) {
    const length = bytes.readUInt32BE(at);
    const event = bytes.subarray(at + 4, at + 4 + length);
    events.push(eventOf(event));
    at += 4 + length;
  }
  return events;
}

/** The object of an event is bytes of any kind; here a protobuf envelope. */
function eventOf(bytes: Uint8Array): JsonObject {
  const type = bytes.subarray(2, 2 + (bytes[1] ?? 0));
  const envelope = Buffer.from(bytes).indexOf("k8s\0");
  return {
    type: Buffer.from(type).toString(),
    object: decodeProtobuf(bytes.subarray(envelope)),
  };
}
