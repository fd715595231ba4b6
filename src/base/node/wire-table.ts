import { fromJSON } from "@grpc/proto-loader";
import type { MethodDefinition, PackageDefinition, ServiceDefinition } from "@grpc/proto-loader";

/**
 * A compact table of a gRPC package's messages: each field is `name number type`, comma-separated. Types are scalars,
 * messages and enums of the package, `X[]`, and maps of strings to strings (`map`), to bytes (`bytesMap`), to messages
 * (`map:X`).
 */
export interface WireTable {
  readonly package: string;
  readonly messages: Readonly<Record<string, string>>;
  readonly enums: Readonly<Record<string, Readonly<Record<string, number>>>>;
  readonly services: readonly WireService[];
}

export interface WireService {
  readonly name: string;
  readonly methods: Readonly<Record<string, WireMethod>>;
}

export interface WireMethod {
  readonly request: string;
  readonly response: string;
  /** Whether answers come as a stream. */
  readonly streams?: boolean;
  /** Whether requests go as a stream too. */
  readonly requestStreams?: boolean;
}

export type WireDefinition = MethodDefinition<object, object>;

/** The methods by name, `package.Service/Method`. What is decoded has every field set: absent ones to a zero value. */
export function* wireMethods(table: WireTable): Generator<[string, WireDefinition]> {
  const definitions = fromJSON(protobufJson(table), {
    longs: Number,
    defaults: true,
    arrays: true,
    objects: true,
  }) as PackageDefinition;
  for (const service of table.services) {
    const found = definitions[`${table.package}.${service.name}`] as ServiceDefinition;
    for (const [name, definition] of Object.entries(found)) {
      yield [`${table.package}.${service.name}/${name}`, definition as WireDefinition];
    }
  }
}

function protobufJson(table: WireTable): Parameters<typeof fromJSON>[0] {
  const types: Record<string, object> = {};
  for (const [name, values] of Object.entries(table.enums)) types[name] = { values };
  for (const [name, fields] of Object.entries(table.messages)) types[name] = messageJson(fields);
  for (const { name, methods } of table.services) types[name] = serviceJson(methods);
  let json: object = { nested: types };
  for (const part of table.package.split(".").toReversed()) json = { nested: { [part]: json } };
  return json as Parameters<typeof fromJSON>[0];
}

function serviceJson(methods: WireService["methods"]): object {
  return {
    methods: Object.fromEntries(
      Object.entries(methods).map(([name, method]) => [
        name,
        {
          requestType: method.request,
          responseType: method.response,
          ...(method.streams && { responseStream: true }),
          ...(method.requestStreams && { requestStream: true }),
        },
      ]),
    ),
  };
}

function messageJson(fields: string): object {
  if (fields === "") return { fields: {} };
  return {
    fields: Object.fromEntries(
      fields.split(", ").map((field) => {
        const [name = "", number = "", type = ""] = field.split(" ");
        const id = Number(number);
        if (type === "map") return [name, { keyType: "string", type: "string", id }];
        if (type === "bytesMap") return [name, { keyType: "string", type: "bytes", id }];
        if (type.startsWith("map:")) return [name, { keyType: "string", type: type.slice(4), id }];
        if (type.endsWith("[]")) return [name, { rule: "repeated", type: type.slice(0, -2), id }];
        return [name, { type, id }];
      }),
    ),
  };
}
