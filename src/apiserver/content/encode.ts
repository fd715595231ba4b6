import type { JsonObject } from "#api/kind.ts";
import { partialMetadataList, tableOf } from "#api/table/table.ts";
import { stringify as stringifyYaml } from "yaml";
import type { Answer, ObjectList } from "#apiserver/answer.ts";
import type { Call } from "#apiserver/call.ts";
import type { ApiRequest, ApiResponse, Headers } from "#apiserver/request.ts";
import { formOf, type Form } from "#apiserver/content/accept.ts";
import { bytesResponse, textResponse, utf8 } from "#apiserver/content/bytes.ts";
import { listBytes, listMetadata, listObject } from "#apiserver/content/list-bytes.ts";
import { encodeAsProtobuf } from "#apiserver/content/protobuf.ts";
import { includeObject, objectInForm } from "#apiserver/content/shape.ts";
import { watchResponse } from "#apiserver/content/watch-response.ts";

/** The form in which this call is to be answered; refused before anything is done. */
export function formOfCall(call: Call): Form {
  const { verb } = call.info;
  if (verb === "list")
    return formOf(call.request, { as: ["object", "Table", "PartialObjectMetadataList"] });
  return formOf(call.request, { as: ["object", "Table", "PartialObjectMetadata"] });
}

/** Puts an answer into the form that was asked for. */
export function encodeAnswer(call: Call, answer: Answer, form: Form): ApiResponse {
  const headers = call.warnings.headers();
  switch (answer.kind) {
    case "connect":
      return { kind: "connect", headers, target: answer.target };
    case "text":
      return textResponse(200, answer.text);
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

function encodeList(call: Call, list: ObjectList, form: Form): ApiResponse {
  const headers = call.warnings.headers();
  const answer = { status: 200, headers };
  if (form.as === "object" && isPlainJson(call.request, form))
    return listBytes(call.kind, list, headers);
  return valueResponse(call, { ...answer, value: listInForm(call, list, form) }, form);
}

function listInForm(call: Call, list: ObjectList, form: Form): JsonObject {
  const objects = list.items.map((item) => item.object);
  switch (form.as) {
    case "Table":
      return tableOf({
        kind: call.kind,
        objects,
        nowMs: call.server.clock.now(),
        includeObject: includeObject(call.request),
        listMeta: listMetadata(list),
      });
    case "PartialObjectMetadataList":
    case "PartialObjectMetadata":
      return partialMetadataList(objects, listMetadata(list));
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
