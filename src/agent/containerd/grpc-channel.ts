import { Client, credentials, type ServiceError } from "@grpc/grpc-js";
import { fromJSON } from "@grpc/proto-loader";
import type { MethodDefinition, PackageDefinition, ServiceDefinition } from "@grpc/proto-loader";

/** A compact table of messages (`name number type`, comma-separated), as in `cri-messages.ts`. */
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
  readonly streams?: boolean;
}

/** One gRPC connection to a Unix socket. Answers have every field set: absent ones hold the type's zero value. */
export interface GrpcChannel extends Disposable {
  call<Answer>(method: string, request: object, options?: CallOptions): Promise<Answer>;
  /** A stream of answers; it ends when the signal is aborted and throws when the connection breaks. */
  stream<Answer>(
    method: string,
    request: object,
    signal: AbortSignal,
  ): AsyncGenerator<Answer, void, undefined>;
  /** Resolves once connected; rejects when that takes longer. */
  ready(timeoutMs: number): Promise<void>;
}

export interface CallOptions {
  readonly signal?: AbortSignal;
  /** Default: two minutes. */
  readonly timeoutMs?: number;
}

const defaultTimeoutMs = 120_000;
const messageBytesMax = 16 * 1024 * 1024;

/** Methods are named `package.Service/Method`. */
export function openGrpcChannel(socket: string, tables: readonly WireTable[]): GrpcChannel {
  const methods = new Map(tables.flatMap((table) => [...methodsOf(table)]));
  const client = new Client(`unix:${socket}`, credentials.createInsecure(), {
    "grpc.max_receive_message_length": messageBytesMax,
    "grpc.initial_reconnect_backoff_ms": 50,
    "grpc.max_reconnect_backoff_ms": 2000,
  });
  return {
    call: (method, request, options = {}) =>
      callUnary(client, { definition: definitionOf(methods, method), request, options }),
    stream: (method, request, signal) =>
      openStream(client, { definition: definitionOf(methods, method), request, signal }),
    ready: (timeoutMs) =>
      new Promise((resolve, reject) => {
        // A deadline is an instant of the machine's clock: gRPC knows no other.
        client.waitForReady(new Date(Date.now() + timeoutMs), (error) =>
          error ? reject(error) : resolve(),
        );
      }),
    [Symbol.dispose]: () => client.close(),
  };
}

type Definition = MethodDefinition<object, object>;

function definitionOf(methods: ReadonlyMap<string, Definition>, method: string): Definition {
  const definition = methods.get(method);
  if (definition === undefined) throw new Error(`Cannot call "${method}": no such method`);
  return definition;
}

function callUnary<Answer>(
  client: Client,
  call: {
    readonly definition: Definition;
    readonly request: object;
    readonly options: CallOptions;
  },
): Promise<Answer> {
  const { definition, request, options } = call;
  return new Promise((resolve, reject) => {
    if (options.signal?.aborted) return reject(options.signal.reason as Error);
    const abort = (): void => active.cancel();
    const deadline = Date.now() + (options.timeoutMs ?? defaultTimeoutMs);
    const active = client.makeUnaryRequest(
      definition.path,
      definition.requestSerialize,
      definition.responseDeserialize,
      request,
      { deadline },
      (error, answer) => {
        options.signal?.removeEventListener("abort", abort);
        if (error) reject(new GrpcError(definition.path, error));
        else resolve(answer as Answer);
      },
    );
    options.signal?.addEventListener("abort", abort, { once: true });
  });
}

async function* openStream<Answer>(
  client: Client,
  call: { readonly definition: Definition; readonly request: object; readonly signal: AbortSignal },
): AsyncGenerator<Answer, void, undefined> {
  const { definition, request, signal } = call;
  const stream = client.makeServerStreamRequest(
    definition.path,
    definition.requestSerialize,
    definition.responseDeserialize,
    request,
  );
  const abort = (): void => stream.cancel();
  signal.addEventListener("abort", abort, { once: true });
  try {
    for await (const answer of stream) yield answer as Answer;
  } catch (error) {
    if (!signal.aborted) throw error;
  } finally {
    signal.removeEventListener("abort", abort);
    stream.cancel();
  }
}

/** A refusal of the runtime; the message is its description alone, as upstream shows it in statuses and events. */
export class GrpcError extends Error {
  override readonly name = "GrpcError";
  readonly code: number;
  readonly method: string;

  constructor(path: string, cause: ServiceError) {
    super(cause.details === "" ? cause.message : cause.details, { cause });
    this.code = cause.code;
    this.method = path.slice(path.lastIndexOf("/") + 1);
  }
}

function* methodsOf(table: WireTable): Generator<[string, Definition]> {
  const definitions = fromJSON(protobufJson(table), {
    longs: Number,
    defaults: true,
    arrays: true,
    objects: true,
  }) as PackageDefinition;
  for (const service of table.services) {
    const found = definitions[`${table.package}.${service.name}`] as ServiceDefinition;
    for (const [name, definition] of Object.entries(found)) {
      yield [`${table.package}.${service.name}/${name}`, definition as Definition];
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
      Object.entries(methods).map(([name, { request, response, streams }]) => [
        name,
        { requestType: request, responseType: response, ...(streams && { responseStream: true }) },
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
        if (type.endsWith("[]")) return [name, { rule: "repeated", type: type.slice(0, -2), id }];
        return [name, { type, id }];
      }),
    ),
  };
}
