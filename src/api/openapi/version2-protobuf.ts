import type { JsonObject } from "#api/kind.ts";
import type { Json } from "#api/meta.ts";
import { encodeText } from "#api/protobuf/special-messages.ts";
import { WireWriter } from "#api/protobuf/wire.ts";

/**
 * An OpenAPI 2 document in protobuf, the only form that Go's discovery client takes. It is asked for as
 * `application/com.github.proto-openapi.spec.v2@v1.0+protobuf` and answered as `…spec.v2.v1.0+protobuf`. The field numbers are those of gnostic's `OpenAPIv2.proto`.
 */
export function encodeOpenApiV2(document: JsonObject): Uint8Array {
  return message((writer) => {
    writeText(writer, 1, document["swagger"]);
    writer.bytesField(2, info(objectIn(document, "info")));
    writer.bytesField(
      8,
      message((paths) => writeNamed(paths, 2, document["paths"], pathItem)),
    );
    writer.bytesField(
      9,
      message((definitions) => writeNamed(definitions, 1, document["definitions"], schema)),
    );
    for (const requirement of listIn(document, "security")) {
      const encoded = message((one) => writeNamed(one, 1, requirement, () => new Uint8Array()));
      writer.bytesField(12, encoded);
    }
    const securities = document["securityDefinitions"];
    writer.bytesField(
      13,
      message((items) => writeNamed(items, 1, securities, apiKey)),
    );
  });
}

function info(from: JsonObject): Uint8Array {
  return message((writer) => {
    writeText(writer, 1, from["title"]);
    writeText(writer, 2, from["version"]);
  });
}

/** The one kind of security there is: a `SecurityDefinitionsItem` with an API key. */
function apiKey(from: JsonObject): Uint8Array {
  const key = message((writer) => {
    writeText(writer, 1, from["type"]);
    writeText(writer, 2, from["name"]);
    writeText(writer, 3, from["in"]);
    writeText(writer, 4, from["description"]);
  });
  return message((writer) => writer.bytesField(2, key));
}

const methodNumbers: Readonly<Record<string, number>> = {
  get: 2,
  put: 3,
  post: 4,
  delete: 5,
  options: 6,
  head: 7,
  patch: 8,
};

function pathItem(item: JsonObject): Uint8Array {
  return message((writer) => {
    for (const [method, number] of Object.entries(methodNumbers)) {
      if (method in item) writer.bytesField(number, operation(objectIn(item, method)));
    }
    for (const one of listIn(item, "parameters")) writer.bytesField(9, parametersItem(one));
    writeExtensions(writer, 10, item);
  });
}

function operation(from: JsonObject): Uint8Array {
  return message((writer) => {
    writeTexts(writer, 1, from["tags"]);
    writeText(writer, 3, from["description"]);
    writeText(writer, 5, from["operationId"]);
    writeTexts(writer, 6, from["produces"]);
    writeTexts(writer, 7, from["consumes"]);
    for (const one of listIn(from, "parameters")) writer.bytesField(8, parametersItem(one));
    writer.bytesField(9, responses(objectIn(from, "responses")));
    writeTexts(writer, 10, from["schemes"]);
    writeExtensions(writer, 13, from);
  });
}

/** `ParametersItem` around `Parameter` around the kind of parameter it is. */
function parametersItem(from: JsonObject): Uint8Array {
  const parameter = from["in"] === "body" ? wrapped(1, bodyParameter(from)) : nonBody(from);
  return wrapped(1, parameter);
}

function bodyParameter(from: JsonObject): Uint8Array {
  return message((writer) => {
    writeText(writer, 1, from["description"]);
    writeText(writer, 2, from["name"]);
    writeText(writer, 3, from["in"]);
    writeFlag(writer, 4, from["required"]);
    writer.bytesField(5, schema(objectIn(from, "schema")));
  });
}

function nonBody(from: JsonObject): Uint8Array {
  const isQuery = from["in"] === "query";
  const parameter = message((writer) => {
    writeFlag(writer, 1, from["required"]);
    writeText(writer, 2, from["in"]);
    writeText(writer, 3, from["description"]);
    writeText(writer, 4, from["name"]);
    writeText(writer, isQuery ? 6 : 5, from["type"]);
    writeFlag(writer, isQuery ? 20 : 19, from["uniqueItems"]);
  });
  return wrapped(2, wrapped(isQuery ? 3 : 4, parameter));
}

function responses(from: JsonObject): Uint8Array {
  return message((writer) => writeNamed(writer, 1, from, (answer) => wrapped(1, response(answer))));
}

function response(from: JsonObject): Uint8Array {
  return message((writer) => {
    writeText(writer, 1, from["description"]);
    if ("schema" in from) writer.bytesField(2, wrapped(1, schema(objectIn(from, "schema"))));
  });
}

function schema(from: JsonObject): Uint8Array {
  return message((writer) => {
    writeText(writer, 1, from["$ref"]);
    writeText(writer, 2, from["format"]);
    writeText(writer, 4, from["description"]);
    if (from["default"] !== undefined) writer.bytesField(5, anyValue(from["default"]));
    writeTexts(writer, 19, from["required"]);
    if ("additionalProperties" in from) {
      writer.bytesField(21, wrapped(1, schema(objectIn(from, "additionalProperties"))));
    }
    if (typeof from["type"] === "string")
      writer.bytesField(22, wrapped(1, encodeText(from["type"])));
    if ("items" in from) writer.bytesField(23, wrapped(1, schema(objectIn(from, "items"))));
    if ("properties" in from) {
      const properties = from["properties"];
      writer.bytesField(
        25,
        message((named) => writeNamed(named, 1, properties, schema)),
      );
    }
    writeExtensions(writer, 31, from);
  });
}

/** Values of any shape travel as YAML, which JSON is. */
function anyValue(value: Json): Uint8Array {
  return message((writer) => writeText(writer, 2, JSON.stringify(value)));
}

function writeExtensions(writer: WireWriter, number: number, from: JsonObject): void {
  for (const [name, value] of Object.entries(from)) {
    if (!name.startsWith("x-")) continue;
    writer.bytesField(number, named(name, anyValue(value)));
  }
}

function writeNamed(
  writer: WireWriter,
  number: number,
  from: Json | undefined,
  encode: (value: JsonObject) => Uint8Array,
): void {
  for (const [name, value] of Object.entries((from ?? {}) as JsonObject)) {
    writer.bytesField(number, named(name, encode(value as JsonObject)));
  }
}

function named(name: string, value: Uint8Array): Uint8Array {
  return message((writer) => {
    writeText(writer, 1, name);
    writer.bytesField(2, value);
  });
}

function wrapped(number: number, value: Uint8Array): Uint8Array {
  return message((writer) => writer.bytesField(number, value));
}

function message(write: (writer: WireWriter) => void): Uint8Array {
  const writer = new WireWriter();
  write(writer);
  return writer.finish();
}

function writeText(writer: WireWriter, number: number, value: Json | undefined): void {
  if (typeof value === "string" && value !== "") writer.bytesField(number, encodeText(value));
}

function writeTexts(writer: WireWriter, number: number, values: Json | undefined): void {
  if (!Array.isArray(values)) return;
  for (const value of values) writer.bytesField(number, encodeText(String(value as string)));
}

function writeFlag(writer: WireWriter, number: number, value: Json | undefined): void {
  if (value === true) writer.varintField(number, 1n);
}

function objectIn(parent: JsonObject, field: string): JsonObject {
  return (parent[field] ?? {}) as JsonObject;
}

function listIn(parent: JsonObject, field: string): readonly JsonObject[] {
  return (parent[field] ?? []) as JsonObject[];
}
