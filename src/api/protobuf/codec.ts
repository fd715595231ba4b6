import type { JsonObject } from "#api/kind.ts";
import type { Json } from "#api/meta.ts";
import { badRequest } from "#api/status.ts";
import { decodeMessage, encodeMessage, writeMessage } from "#api/protobuf/messages.ts";
import { decodeText } from "#api/protobuf/special-messages.ts";
import { malformed, wireBytes, WireReader, WireWriter } from "#api/protobuf/wire.ts";
import { definitionNames, definitionOf, packageAliases } from "#api/schemas/definitions.ts";

/**
 * The JSON form of an object in `application/vnd.kubernetes.protobuf`: the bytes `k8s\0`, then a
 * `runtime.Unknown` that names the kind and holds its message. Throws a 400 on anything else.
 */
export function decodeProtobuf(bytes: Uint8Array): JsonObject {
  const envelope = openEnvelope(bytes);
  const { apiVersion, kind } = envelope;
  if (envelope.contentType === "application/json") return jsonObject(envelope.raw);
  if (envelope.contentEncoding !== "") {
    throw malformed(`the content encoding "${envelope.contentEncoding}" is not known`);
  }
  const definition = definitionNamed(apiVersion, kind);
  if (definition === undefined) {
    throw badRequest(`no kind "${kind}" is registered for version "${apiVersion}" in protobuf`);
  }
  return { apiVersion, kind, ...decodeMessage(definition, envelope.raw) };
}

/** The protobuf form of a built-in object, in its envelope. */
export function encodeProtobuf(object: JsonObject): Uint8Array {
  return encodeProtobufList(object, undefined);
}

/** The same of a list whose items are encoded already, each as `encodeProtobufItem` makes it. */
export function encodeProtobufList(
  object: JsonObject,
  items: Iterable<Uint8Array> | undefined,
): Uint8Array {
  const apiVersion = String(object["apiVersion"] as string);
  const kind = String(object["kind"] as string);
  const definition = definitionNamed(apiVersion, kind);
  if (definition === undefined) {
    throw new Error(`Cannot encode ${apiVersion} ${kind}: no protobuf message is known`);
  }
  const envelope = new WireWriter();
  envelope.raw(magic);
  envelope.messageField(1, () => {
    envelope.textField(1, apiVersion);
    envelope.textField(2, kind);
  });
  envelope.messageField(2, () => {
    writeMessage(envelope, definition, object);
    const number = definitionOf(definition)?.fields.find(({ name }) => name === "items")?.number;
    for (const item of items ?? []) envelope.bytesField(number ?? listItems, item);
  });
  envelope.textField(3, "");
  envelope.textField(4, "");
  return envelope.finish();
}

/** The message of one object without an envelope: an item of a list. Undefined where the kind has none. */
export function encodeProtobufItem(object: JsonObject): Uint8Array | undefined {
  const definition = definitionNamed(
    String(object["apiVersion"] as string),
    String(object["kind"] as string),
  );
  return definition === undefined ? undefined : encodeMessage(definition, object);
}

/** A `meta/v1 WatchEvent` around an object in its envelope, with its length before it, as watches are framed. */
export function encodeProtobufFrame(type: string, object: Uint8Array): Uint8Array {
  const event = new WireWriter();
  event.raw(lengthPlace);
  event.textField(1, type);
  event.messageField(2, () => event.bytesField(1, object));
  const frame = event.finish();
  new DataView(frame.buffer).setUint32(0, frame.length - lengthPlace.length);
  return frame;
}

/** The number of `items` in nearly every list. */
const listItems = 2;
const lengthPlace = new Uint8Array(4);

/** Whether a built-in message is known for this kind. Custom resources have none. */
export function hasProtobuf(apiVersion: string, kind: string): boolean {
  return definitionNamed(apiVersion, kind) !== undefined;
}

const magic = Uint8Array.of(0x6b, 0x38, 0x73, 0x00);

interface Envelope {
  apiVersion: string;
  kind: string;
  raw: Uint8Array;
  contentEncoding: string;
  contentType: string;
}

function openEnvelope(bytes: Uint8Array): Envelope {
  if (!magic.every((byte, position) => bytes[position] === byte)) {
    throw malformed('it does not begin with "k8s" and a zero byte');
  }
  const parts = new Map<number, Uint8Array>();
  readTexts(bytes.subarray(magic.length), parts);
  const typeMeta = new Map<number, Uint8Array>();
  readTexts(parts.get(1) ?? new Uint8Array(), typeMeta);
  return {
    apiVersion: textOf(typeMeta.get(1)),
    kind: textOf(typeMeta.get(2)),
    raw: parts.get(2) ?? new Uint8Array(),
    contentEncoding: textOf(parts.get(3)),
    contentType: textOf(parts.get(4)),
  };
}

function readTexts(bytes: Uint8Array, into: Map<number, Uint8Array>): void {
  const reader = new WireReader(bytes);
  while (!reader.done) {
    const { number, wire } = reader.tag();
    if (wire === wireBytes) into.set(number, reader.bytes());
    else reader.skip(wire);
  }
}

function textOf(bytes: Uint8Array | undefined): string {
  return bytes === undefined ? "" : decodeText(bytes);
}

function jsonObject(raw: Uint8Array): JsonObject {
  let value: Json;
  try {
    value = JSON.parse(decodeText(raw)) as Json;
  } catch (error) {
    if (error instanceof SyntaxError) throw malformed(error.message);
    throw error;
  }
  if (typeof value === "object" && value !== null && !Array.isArray(value)) return value;
  throw malformed("it holds no object");
}

let byKind: ReadonlyMap<string, string> | undefined;

/** Options and statuses are part of every group version; all else belongs to one. */
function definitionNamed(apiVersion: string, kind: string): string | undefined {
  byKind ??= indexKinds();
  return byKind.get(`${apiVersion} ${kind}`) ?? byKind.get(kind);
}

function indexKinds(): ReadonlyMap<string, string> {
  const index = new Map<string, string>();
  const metaPackage = packageAliases["meta"] ?? "";
  for (const name of definitionNames()) {
    const short = name.slice(name.lastIndexOf(".") + 1);
    if (name.startsWith(`${metaPackage}.`)) {
      if (everywhere.has(short)) index.set(short, name);
      continue;
    }
    const definition = definitionOf(name);
    if (definition?.isObject) index.set(`${definition.apiVersion} ${short}`, name);
  }
  return index;
}

const everywhere = new Set([
  "APIGroup",
  "APIGroupList",
  "APIResourceList",
  "APIVersions",
  "CreateOptions",
  "DeleteOptions",
  "GetOptions",
  "ListOptions",
  "PartialObjectMetadata",
  "PartialObjectMetadataList",
  "PatchOptions",
  "Status",
  "UpdateOptions",
  "WatchEvent",
]);
