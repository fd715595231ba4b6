import { Client, connectivityState, credentials, type ServiceError } from "@grpc/grpc-js";
import { wireMethods } from "#base/node/wire-table.ts";
import type { WireDefinition, WireTable } from "#base/node/wire-table.ts";

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
  /** Calls back with whether it is connected, now and whenever that changes; keeps trying to be. */
  followConnection(listener: (isConnected: boolean) => void): void;
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
  const methods = new Map(tables.flatMap((table) => [...wireMethods(table)]));
  const client = new Client(`unix:${socket}`, credentials.createInsecure(), {
    "grpc.max_receive_message_length": messageBytesMax,
    "grpc.initial_reconnect_backoff_ms": 50,
    "grpc.max_reconnect_backoff_ms": 2000,
  });
  let isClosed = false;
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
    followConnection: (listener) => followConnection(client, () => isClosed, listener),
    [Symbol.dispose]() {
      isClosed = true;
      client.close();
    },
  };
}

function followConnection(
  client: Client,
  isClosed: () => boolean,
  listener: (isConnected: boolean) => void,
): void {
  const channel = client.getChannel();
  let told: boolean | undefined;
  const look = (): void => {
    if (isClosed()) return;
    const state = channel.getConnectivityState(true);
    const isConnected = state === connectivityState.READY;
    if (isConnected !== told) listener(isConnected);
    told = isConnected;
    channel.watchConnectivityState(state, Infinity, look);
  };
  look();
}

function definitionOf(
  methods: ReadonlyMap<string, WireDefinition>,
  method: string,
): WireDefinition {
  const definition = methods.get(method);
  if (definition === undefined) throw new Error(`Cannot call "${method}": no such method`);
  return definition;
}

function callUnary<Answer>(
  client: Client,
  call: {
    readonly definition: WireDefinition;
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
  call: {
    readonly definition: WireDefinition;
    readonly request: object;
    readonly signal: AbortSignal;
  },
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
    super(cause.details === "" ? cause.message : cause.details);
    this.code = cause.code;
    this.method = path.slice(path.lastIndexOf("/") + 1);
  }
}
