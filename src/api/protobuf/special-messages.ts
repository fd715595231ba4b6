import type { Json } from "#api/meta.ts";
import { malformed, wireBytes, wireVarint, WireReader, WireWriter } from "#api/protobuf/wire.ts";

/** A message whose JSON form is not an object of its fields. `undefined` stands for an unset value. */
export interface SpecialMessage {
  decode(bytes: Uint8Array, nested: Nested): Json | undefined;
  encode(value: Json, nested: Nested): Uint8Array;
}

/** The codec of ordinary messages, for special ones that hold some. */
export interface Nested {
  decode(definition: string, bytes: Uint8Array): Json;
  encode(definition: string, value: Json): Uint8Array;
}

/** By the definition's name without its package. */
export function specialMessage(definition: string): SpecialMessage | undefined {
  let special = byDefinition.get(definition);
  if (special === undefined && !byDefinition.has(definition)) {
    special = specials[definition.slice(definition.lastIndexOf(".") + 1)];
    byDefinition.set(definition, special);
  }
  return special;
}

const byDefinition = new Map<string, SpecialMessage | undefined>();

const text = new TextDecoder("utf-8", { fatal: true });
const utf8 = new TextEncoder();

export function decodeText(bytes: Uint8Array): string {
  try {
    return text.decode(bytes);
  } catch (error) {
    if (error instanceof TypeError) throw malformed("a text is not UTF-8");
    throw error;
  }
}

export function encodeText(value: string): Uint8Array {
  return utf8.encode(value);
}

const schemaProps = "io.k8s.apiextensions-apiserver.pkg.apis.apiextensions.v1.JSONSchemaProps";

const time: SpecialMessage = {
  decode(bytes) {
    const stamp = timestampOf(bytes);
    return stamp && `${isoSeconds(stamp.seconds)}Z`;
  },
  encode: (value) => encodeTimestamp(String(value as string)),
};

const microTime: SpecialMessage = {
  decode(bytes) {
    const stamp = timestampOf(bytes);
    if (stamp === undefined) return undefined;
    const micros = Math.floor(stamp.nanos / 1000);
    return `${isoSeconds(stamp.seconds)}.${String(micros).padStart(6, "0")}Z`;
  },
  encode: (value) => encodeTimestamp(String(value as string)),
};

const quantity: SpecialMessage = {
  decode: (bytes) => decodeText(fieldsOf(bytes).bytes(1) ?? empty),
  encode: (value) => single(1, encodeText(String(value as string | number))),
};

const intOrString: SpecialMessage = {
  decode(bytes) {
    const fields = fieldsOf(bytes);
    if (fields.number(1) === 1n) return decodeText(fields.bytes(3) ?? empty);
    return Number(BigInt.asIntN(32, fields.number(2)));
  },
  encode(value) {
    const writer = new WireWriter();
    writer.varintField(1, typeof value === "number" ? 0n : 1n);
    if (typeof value === "number") writer.varintField(2, BigInt(value));
    else writer.bytesField(3, encodeText(String(value as string)));
    return writer.finish();
  },
};

/** JSON bytes in field 1: `RawExtension`, `JSON` and `FieldsV1`. */
const rawJson: SpecialMessage = {
  decode(bytes) {
    const raw = fieldsOf(bytes).bytes(1);
    return raw === undefined || raw.length === 0 ? undefined : parseJson(raw);
  },
  encode: (value) => single(1, encodeText(JSON.stringify(value))),
};

const listOfTexts: SpecialMessage = {
  decode: (bytes) => fieldsOf(bytes).all(1).map(decodeText),
  encode: (value) => repeated(1, value, (item) => encodeText(String(item as string))),
};

const schemaOrArray: SpecialMessage = {
  decode(bytes, nested) {
    const fields = fieldsOf(bytes);
    const schema = fields.bytes(1);
    if (schema !== undefined) return nested.decode(schemaProps, schema);
    return fields.all(2).map((item) => nested.decode(schemaProps, item));
  },
  encode(value, nested) {
    if (!Array.isArray(value)) return single(1, nested.encode(schemaProps, value));
    return repeated(2, value, (item) => nested.encode(schemaProps, item));
  },
};

const schemaOrBool: SpecialMessage = {
  decode(bytes, nested) {
    const fields = fieldsOf(bytes);
    const schema = fields.bytes(2);
    return schema === undefined ? fields.number(1) !== 0n : nested.decode(schemaProps, schema);
  },
  encode(value, nested) {
    const writer = new WireWriter();
    writer.varintField(1, value === false ? 0n : 1n);
    if (typeof value !== "boolean") writer.bytesField(2, nested.encode(schemaProps, value));
    return writer.finish();
  },
};

const schemaOrTexts: SpecialMessage = {
  decode(bytes, nested) {
    const fields = fieldsOf(bytes);
    const schema = fields.bytes(1);
    return schema === undefined
      ? fields.all(2).map(decodeText)
      : nested.decode(schemaProps, schema);
  },
  encode(value, nested) {
    if (!Array.isArray(value)) return single(1, nested.encode(schemaProps, value));
    return repeated(2, value, (item) => encodeText(String(item as string)));
  },
};

const specials: Readonly<Record<string, SpecialMessage>> = {
  Time: time,
  MicroTime: microTime,
  Quantity: quantity,
  IntOrString: intOrString,
  RawExtension: rawJson,
  JSON: rawJson,
  FieldsV1: rawJson,
  ExtraValue: listOfTexts,
  Verbs: listOfTexts,
  JSONSchemaPropsOrArray: schemaOrArray,
  JSONSchemaPropsOrBool: schemaOrBool,
  JSONSchemaPropsOrStringArray: schemaOrTexts,
};

const empty = new Uint8Array();

interface Timestamp {
  readonly seconds: number;
  readonly nanos: number;
}

/** No bytes stand for Go's zero time. */
function timestampOf(bytes: Uint8Array): Timestamp | undefined {
  if (bytes.length === 0) return undefined;
  const fields = fieldsOf(bytes);
  const seconds = Number(BigInt.asIntN(64, fields.number(1)));
  if (seconds < secondsMin || seconds > secondsMax) throw malformed("a time is out of range");
  return { seconds, nanos: Number(BigInt.asIntN(32, fields.number(2))) };
}

/** The years 1 to 9999, which RFC 3339 can write. */
const secondsMin = -62_135_596_800;
const secondsMax = 253_402_300_799;

function isoSeconds(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 19);
}

function encodeTimestamp(value: string): Uint8Array {
  const timeMs = Date.parse(value);
  const fraction = /\.(\d{1,9})/.exec(value)?.[1] ?? "";
  const writer = new WireWriter();
  writer.varintField(1, BigInt(Math.floor(timeMs / 1000)));
  writer.varintField(2, BigInt(fraction.padEnd(9, "0")));
  return writer.finish();
}

function parseJson(raw: Uint8Array): Json {
  try {
    return JSON.parse(decodeText(raw)) as Json;
  } catch (error) {
    if (error instanceof SyntaxError) throw malformed(`embedded JSON: ${error.message}`);
    throw error;
  }
}

interface SmallFields {
  number(field: number): bigint;
  bytes(field: number): Uint8Array | undefined;
  all(field: number): readonly Uint8Array[];
}

/** The fields of a message with few: numbers and bytes only, the last one of a number wins. */
function fieldsOf(bytes: Uint8Array): SmallFields {
  const numbers = new Map<number, bigint>();
  const values: { readonly field: number; readonly bytes: Uint8Array }[] = [];
  const reader = new WireReader(bytes);
  while (!reader.done) {
    const { number: field, wire } = reader.tag();
    if (wire === wireVarint) numbers.set(field, reader.varint());
    else if (wire === wireBytes) values.push({ field, bytes: reader.bytes() });
    else reader.skip(wire);
  }
  return {
    number: (field) => numbers.get(field) ?? 0n,
    bytes: (field) => values.findLast((value) => value.field === field)?.bytes,
    all: (field) => values.filter((value) => value.field === field).map((value) => value.bytes),
  };
}

function single(field: number, bytes: Uint8Array): Uint8Array {
  const writer = new WireWriter();
  writer.bytesField(field, bytes);
  return writer.finish();
}

function repeated(field: number, value: Json, encode: (item: Json) => Uint8Array): Uint8Array {
  const writer = new WireWriter();
  for (const item of Array.isArray(value) ? value : []) writer.bytesField(field, encode(item));
  return writer.finish();
}
