import type { JsonObject } from "#api/kind.ts";
import { hasProtobuf } from "#api/protobuf/codec.ts";
import { apiVersionOf } from "#api/resource.ts";
import { partialMetadata, partialMetadataList, tableOfRows, tableRowOf } from "#api/table/table.ts";
import { stringify as stringifyYaml } from "yaml";
import type { Answer, ObjectList } from "#apiserver/answer.ts";
import type { Call } from "#apiserver/call.ts";
import type { ApiRequest, ApiResponse, Headers } from "#apiserver/request.ts";
import { formOf, type Form, type Offer } from "#apiserver/content/accept.ts";
import { bytesResponse, textResponse, utf8 } from "#apiserver/content/bytes.ts";
import { listBytes, listMetadata, listObject } from "#apiserver/content/list-bytes.ts";
import { inTurns } from "#apiserver/content/in-turns.ts";
import { listProtobuf } from "#apiserver/content/list-protobuf.ts";
import { encodeAsProtobuf } from "#apiserver/content/protobuf.ts";
import { includeObject, objectInForm } from "#apiserver/content/shape.ts";
import { watchResponse } from "#apiserver/content/watch-response.ts";

/** The form in which this call is to be answered; refused before anything is done. */
export function formOfCall(call: Call): Form {
  const form = formOf(call.request, offerOf(call));
  if (form.as === "Table") includeObject(call.request);
  return form;
}

function offerOf(call: Call): Offer {
  const protobuf = isBuiltIn(call);
  if (call.info.verb === "list")
    return { as: ["object", "Table", "PartialObjectMetadataList"], protobuf };
  // What is answered and not kept (a review) has neither rows nor metadata worth telling.
  if (!call.kind.verbs.includes("get")) return { as: ["object"], protobuf };
  const as: Offer["as"] = ["object", "Table", "PartialObjectMetadata"];
  return { as, protobuf, yaml: call.info.verb !== "watch" };
}

function isBuiltIn(call: Call): boolean {
  const { kind } = call;
  return hasProtobuf(apiVersionOf(kind), kind.kind);
}

/** Puts an answer into the form that was asked for. */
export function encodeAnswer(
  call: Call,
  answer: Answer,
  form: Form,
): ApiResponse | Promise<ApiResponse> {
  const headers = call.warnings.headers();
  switch (answer.kind) {
    case "connect":
      return { kind: "connect", headers, target: answer.target };
    case "text":
      return textResponse(200, answer.text);
    case "redirect":
      return { ...textResponse(301, ""), headers: [["location", answer.location]] };
    case "watch":
      return watchResponse(call, answer.events, form);
    case "list":
      return encodeList(call, answer.list, form);
    case "stored":
      if (form.as === "object" && isPlainJson(call.request, form)) {
        const content = { type: jsonType, bytes: answer.object.bytes };
        return bytesResponse(answer.status, content, headers);
      }
      return encodeObject(call, { status: answer.status, value: answer.object.object }, form);
    case "value":
      return encodeObject(call, answer, form);
  }
}

async function encodeList(call: Call, list: ObjectList, form: Form): Promise<ApiResponse> {
  const headers = call.warnings.headers();
  const answer = { status: 200, headers };
  if (form.as === "object" && isPlainJson(call.request, form))
    return listBytes(call.kind, list, headers);
  if (form.as === "object" && form.media === "protobuf" && call.request.answer === "bytes")
    return bytesResponse(
      200,
      { type: protobufType, bytes: await listProtobuf(call.kind, list) },
      headers,
    );
  return valueResponse(call, { ...answer, value: await listInForm(call, list, form) }, form);
}

async function listInForm(call: Call, list: ObjectList, form: Form): Promise<JsonObject> {
  switch (form.as) {
    case "Table": {
      const shared = {
        kind: call.kind,
        nowMs: call.server.clock.now(),
        includeObject: includeObject(call.request),
        ...(form.metaVersion && { version: form.metaVersion }),
      };
      const rows = await inTurns(list.items, (item) => tableRowOf(item.object, shared));
      return tableOfRows({ ...shared, rows, listMeta: listMetadata(list) });
    }
    case "PartialObjectMetadataList":
    case "PartialObjectMetadata": {
      const items = await inTurns(list.items, (item) =>
        partialMetadata(item.object, form.metaVersion),
      );
      return partialMetadataList(items, listMetadata(list), form.metaVersion);
    }
    case "object":
      return listObject(call.kind, list);
  }
}

interface Valued {
  readonly status: number;
  readonly value: JsonObject;
}

function encodeObject(call: Call, answer: Valued, form: Form): ApiResponse {
  const headers = call.warnings.headers();
  const value = objectInForm(call, answer.value, form);
  return valueResponse(call, { status: answer.status, headers, value }, form);
}

/** Bytes as they are stored will do. */
function isPlainJson(request: ApiRequest, form: Form): boolean {
  return request.answer === "bytes" && form.media === "json" && !form.pretty;
}

interface ValueAnswer {
  readonly status: number;
  readonly headers: Headers;
  readonly value: JsonObject;
}

function valueResponse(call: Call, answer: ValueAnswer, form: Form): ApiResponse {
  return encodeValue(call.request, answer, form);
}

/** Any JSON value in the form the caller accepts; objects stay objects for callers in the same process. */
export function encodeValue(request: ApiRequest, answer: ValueAnswer, form: Form): ApiResponse {
  const { status, headers, value } = answer;
  if (request.answer === "objects") return { kind: "object", status, headers, value };
  switch (form.media) {
    case "yaml":
      return bytesResponse(
        status,
        { type: "application/yaml", bytes: utf8(stringifyYaml(value)) },
        headers,
      );
    case "protobuf":
      return bytesResponse(status, { type: protobufType, bytes: encodeAsProtobuf(value) }, headers);
    case "json":
      return bytesResponse(
        status,
        { type: jsonType, bytes: jsonBytes(value, form.pretty) },
        headers,
      );
  }
}

export const protobufType = "application/vnd.kubernetes.protobuf";
const jsonType = "application/json";

function jsonBytes(value: JsonObject, pretty: boolean): Uint8Array {
  return utf8(pretty ? `${JSON.stringify(value, null, 2)}\n` : `${JSON.stringify(value)}\n`);
}
