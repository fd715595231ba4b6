import assert from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { decodeProtobuf, encodeProtobuf, hasProtobuf } from "#api/protobuf/codec.ts";
import { createTestServer, requestOf, type TestServer } from "#test/api-server.ts";
import { collectionOf, sampleObject, samples } from "#test/conformance/sample-objects.ts";

const protobuf = "application/vnd.kubernetes.protobuf";

async function bytesOf(
  api: TestServer,
  method: string,
  path: string,
  body?: Uint8Array,
): Promise<{ readonly status: number; readonly bytes: Uint8Array }> {
  const headers = { accept: protobuf, "content-type": protobuf };
  const request = requestOf(method, path, { headers });
  const response = await api.server.handle({
    ...request,
    ...(body !== undefined && { body: { kind: "bytes", read: () => Promise.resolve(body) } }),
  });
  if (response.kind !== "bytes") throw new Error(`Cannot read a "${response.kind}" answer`);
  return { status: response.status, bytes: Buffer.concat([...response.chunks]) };
}

for (const sample of samples) {
  test(`${sample.apiVersion} ${sample.kind} is the same in JSON and protobuf, and an update of it is none`, async () => {
    await using api = await createTestServer();
    await api.send("POST", "/api/v1/namespaces/default/serviceaccounts", {
      body: { metadata: { name: "default" } },
    });
    const made = await api.send("POST", collectionOf(sample), {
      body: {
        ...sampleObject(sample, "a"),
        metadata: {
          name: sample.nameOf?.("a") ?? "a",
          labels: { "example.com/x": "", y: "z" },
          annotations: { text: 'ä€𝄞\n\u0000\\"', empty: "" },
        },
      },
    });
    assert.equal(made.status, 201, made.text);
    const path = `${collectionOf(sample)}/${sample.nameOf?.("a") ?? "a"}`;
    const inJson = (await api.send("GET", path)).body;
    assert.ok(hasProtobuf(sample.apiVersion, sample.kind));
    const got = await bytesOf(api, "GET", path);
    assert.deepEqual(decodeProtobuf(got.bytes), inJson);
    assert.deepEqual(decodeProtobuf(encodeProtobuf(inJson)), inJson);
    const updated = await bytesOf(api, "PUT", path, got.bytes);
    assert.equal(updated.status, 200, JSON.stringify(decodeProtobuf(updated.bytes)));
    assert.deepEqual(withoutManagers(decodeProtobuf(updated.bytes)), withoutManagers(inJson));
  });
}

/** Everything else, the version among it, stays where nothing changed. */
function withoutManagers(object: JsonObject): JsonObject {
  const { managedFields: _, ...metadata } = object.metadata as JsonObject;
  return { ...object, metadata };
}
