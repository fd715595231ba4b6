import { invariant } from "#base/invariant.ts";
import type { Json } from "#api/meta.ts";
import type { JsonObject } from "#api/kind.ts";
import { fromBase64, toBase64 } from "#api/protobuf/base64.ts";
import { decodeText, specialMessage } from "#api/protobuf/special-messages.ts";
import type { Nested } from "#api/protobuf/special-messages.ts";
import {
  malformed,
  wireBytes,
  wireFixed64,
  wireVarint,
  WireReader,
  WireWriter,
} from "#api/protobuf/wire.ts";
import { definitionOf, isScalar } from "#api/schemas/definitions.ts";
import type { Field } from "#api/schemas/definitions.ts";

/** The JSON form of a message of a built-in definition; fields it does not know are skipped, as protobuf wants it. */
export function decodeMessage(definition: string, bytes: Uint8Array, depth = 0): JsonObject {
  if (depth > depthMax) throw malformed(`messages are nested deeper than ${depthMax}`);
  const object: JsonObject = {};
  decodeInto(object, { definition, bytes, depth });
  return object;
}

export function encodeMessage(definition: string, object: Json): Uint8Array {
  const writer = new WireWriter();
  writeMessage(writer, definition, object);
  return writer.finish();
}

/** Writes the message's fields, without a tag or a length. */
export function writeMessage(writer: WireWriter, definition: string, object: Json): void {
  if (typeof object !== "object" || object === null || Array.isArray(object)) {
    throw new Error(`Cannot encode ${definition}: the value is not an object`);
  }
  for (const field of fieldsOf(definition).values()) {
    if (field.name === "~") {
      writer.messageField(field.number, () => writeMessage(writer, field.type, object));
    } else encodeField(writer, field, object[field.name]);
  }
}

/** Schemas of custom resources are the only messages that hold themselves. */
const depthMax = 100;

const byDefinition = new Map<string, ReadonlyMap<number, Field>>();

function fieldsOf(name: string): ReadonlyMap<number, Field> {
  const known = byDefinition.get(name);
  if (known !== undefined) return known;
  const definition = definitionOf(name);
  invariant(definition !== undefined, `"${name}" is a built-in definition`);
  const fields = new Map(definition.fields.map((field) => [field.number, field]));
  byDefinition.set(name, fields);
  return fields;
}

interface Input {
  readonly definition: string;
  readonly bytes: Uint8Array;
  readonly depth: number;
}

function decodeInto(object: JsonObject, { definition, bytes, depth }: Input): void {
  const fields = fieldsOf(definition);
  const reader = new WireReader(bytes);
  while (!reader.done) {
    const { number, wire } = reader.tag();
    const field = fields.get(number);
    if (field === undefined) reader.skip(wire);
    else if (field.name === "~") {
      decodeInto(object, { definition: field.type, bytes: bytesOf(reader, wire), depth });
    } else decodeField(object, field, { reader, wire, depth });
  }
}

interface Position {
  readonly reader: WireReader;
  readonly wire: number;
  readonly depth: number;
}

function decodeField(object: JsonObject, field: Field, at: Position): void {
  if (field.holds === "list") return appendItems(object, field, at);
  if (field.holds === "map") return addEntry(object, field, at);
  const value = decodeValue(field.type, at);
  if (value === undefined || (isLeftOut(field) && isZero(value))) return;
  object[field.name] = value;
}

/** Whether Go leaves the field out of JSON (`omitempty`) when its value is the zero one. */
function isLeftOut(field: Field): boolean {
  if (field.optional || field.required) return false;
  return isScalar(field.type) || field.type.endsWith(".IntOrString");
}

function isZero(value: Json): boolean {
  return value === "" || value === 0 || value === false;
}

function appendItems(object: JsonObject, field: Field, at: Position): void {
  const items = (object[field.name] ??= []) as Json[];
  const isPacked = at.wire === wireBytes && wireOf(field.type) !== wireBytes;
  if (!isPacked) {
    items.push(decodeValue(field.type, at) ?? null);
    return;
  }
  const reader = new WireReader(at.reader.bytes());
  while (!reader.done) {
    items.push(decodeValue(field.type, { ...at, reader, wire: wireOf(field.type) }) ?? null);
  }
}

function addEntry(object: JsonObject, field: Field, at: Position): void {
  const entries = (object[field.name] ??= {}) as JsonObject;
  const reader = new WireReader(bytesOf(at.reader, at.wire));
  let key = "";
  let value: Json | undefined;
  while (!reader.done) {
    const { number, wire } = reader.tag();
    if (number === 1) key = decodeText(bytesOf(reader, wire));
    else if (number === 2) value = decodeValue(field.type, { reader, wire, depth: at.depth });
    else reader.skip(wire);
  }
  Object.defineProperty(entries, key, {
    value: value ?? emptyOf(field.type),
    configurable: true,
    enumerable: true,
    writable: true,
  });
}

/** An entry without a value has its type's empty one. */
function emptyOf(type: string): Json {
  if (!isScalar(type)) return specialMessage(type) === undefined ? {} : null;
  if (type === "bool") return false;
  return type === "string" || type === "bytes" ? "" : 0;
}

function decodeValue(type: string, { reader, wire, depth }: Position): Json | undefined {
  if (wire !== wireOf(type)) throw malformed(`a field has the wire type ${wire}`);
  switch (type) {
    case "string":
      return decodeText(reader.bytes());
    case "bytes":
      return toBase64(reader.bytes());
    case "bool":
      return reader.varint() !== 0n;
    case "int32":
      return Number(BigInt.asIntN(32, reader.varint()));
    case "int64":
      return Number(BigInt.asIntN(64, reader.varint()));
    case "double":
      return reader.double();
    default: {
      const special = specialMessage(type);
      const bytes = reader.bytes();
      if (special === undefined) return decodeMessage(type, bytes, depth + 1);
      return special.decode(bytes, nestedAt(depth + 1));
    }
  }
}

function nestedAt(depth: number): Nested {
  return {
    decode: (definition, bytes) => decodeMessage(definition, bytes, depth),
    encode: encodeMessage,
  };
}

function wireOf(type: string): number {
  switch (type) {
    case "bool":
    case "int32":
    case "int64":
      return wireVarint;
    case "double":
      return wireFixed64;
    default:
      return wireBytes;
  }
}

function bytesOf(reader: WireReader, wire: number): Uint8Array {
  if (wire !== wireBytes) throw malformed(`a message has the wire type ${wire}`);
  return reader.bytes();
}

function encodeField(writer: WireWriter, field: Field, value: Json | undefined): void {
  if (value === undefined || value === null) return;
  if (field.holds === "list") {
    if (!Array.isArray(value)) throw unfit(field, "a list");
    for (const item of value) encodeValue(writer, field, item);
  } else if (field.holds === "map") {
    if (typeof value !== "object" || Array.isArray(value)) throw unfit(field, "an object");
    for (const [key, item] of Object.entries(value)) encodeEntry(writer, field, [key, item]);
  } else encodeValue(writer, field, value);
}

function encodeEntry(
  writer: WireWriter,
  field: Field,
  [key, value]: readonly [string, Json],
): void {
  writer.messageField(field.number, () => {
    writer.textField(1, key);
    encodeValue(writer, entryValue(field), value);
  });
}

function entryValue(field: Field): Field {
  let value = entryValues.get(field);
  if (value === undefined) {
    value = { ...field, number: 2 };
    entryValues.set(field, value);
  }
  return value;
}

const entryValues = new Map<Field, Field>();

function encodeValue(writer: WireWriter, field: Field, value: Json): void {
  const { number, type } = field;
  switch (type) {
    case "string":
      if (typeof value !== "string") throw unfit(field, "a text");
      writer.textField(number, value);
      return;
    case "bytes":
      if (typeof value !== "string") throw unfit(field, "base64");
      writer.bytesField(number, fromBase64(value));
      return;
    case "bool":
      if (typeof value !== "boolean") throw unfit(field, "a boolean");
      writer.integerField(number, value ? 1 : 0);
      return;
    case "int32":
    case "int64":
      if (!Number.isInteger(value)) throw unfit(field, "a whole number");
      writer.integerField(number, value as number);
      return;
    case "double":
      if (typeof value !== "number") throw unfit(field, "a number");
      writer.doubleField(number, value);
      return;
    default: {
      const special = specialMessage(type);
      if (special === undefined) {
        writer.messageField(number, () => writeMessage(writer, type, value));
      } else writer.bytesField(number, special.encode(value, nestedAt(0)));
    }
  }
}

function unfit(field: Field, wanted: string): Error {
  return new Error(`Cannot encode "${field.name}": the value is not ${wanted}`);
}
