import { deepEqual, equal } from "node:assert/strict";
import { test } from "node:test";
import type { JsonObject } from "#api/kind.ts";
import { openApiFiles } from "#api/node/openapi-files.ts";
import { encodeOpenApiV2 } from "#api/openapi/version2-protobuf.ts";

test("encodeOpenApiV2() writes gnostic's messages", () => {
  const document: JsonObject = {
    swagger: "2.0",
    info: { title: "t", version: "v" },
    paths: {},
    definitions: {
      D: {
        type: "object",
        properties: { f: { $ref: "r" } },
        "x-k": "z",
      },
    },
  };
  const schema = [
    "b2 01 08 0a 06 6f 62 6a 65 63 74", // type
    "ca 01 0a 0a 08 0a 01 66 12 03 0a 01 72", // properties
    "fa 01 0c 0a 03 78 2d 6b 12 05 12 03 22 7a 22", // x-k
  ].join(" ");
  const length = schema.split(" ").length;
  const hex = (value: number): string => value.toString(16).padStart(2, "0");
  const wanted = [
    "0a 03 32 2e 30",
    "12 06 0a 01 74 12 01 76",
    "42 00",
    `4a ${hex(length + 7)} 0a ${hex(length + 5)} 0a 01 44 12 ${hex(length)} ${schema}`,
    "6a 00",
  ].join(" ");
  deepEqual(Array.from(encodeOpenApiV2(document), hex).join(" "), wanted);
});

test("openApiFiles.v2Protobuf() is the same document in protobuf", async () => {
  const json = JSON.parse(new TextDecoder().decode((await openApiFiles.v2()).bytes)) as JsonObject;
  const { bytes } = await openApiFiles.v2Protobuf();
  equal(Buffer.compare(Buffer.from(encodeOpenApiV2(json)), Buffer.from(bytes)), 0);
});
