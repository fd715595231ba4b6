import { chmod, mkdir, rm } from "node:fs/promises";
import { dirname } from "node:path";
import { type sendUnaryData, Server, ServerCredentials, type ServerUnaryCall } from "@grpc/grpc-js";
import { wireMethods, type WireTable } from "#base/node/wire-table.ts";

type Answer = (request: never) => Promise<object> | object;

/** A refusal with a gRPC status code. */
export class RpcRefusal extends Error {
  override readonly name = "RpcRefusal";
  readonly code: number;

  constructor(code: number, message: string) {
    super(message);
    this.code = code;
  }
}

const unknownCode = 2;

/** Answers the unary methods of a table, named `package.Service/Method`, on a Unix socket that only root may use. */
export async function serveSocket(options: {
  readonly socket: string;
  readonly table: WireTable;
  readonly answers: Readonly<Record<string, Answer>>;
}): Promise<Disposable> {
  const { socket, table, answers } = options;
  await mkdir(dirname(socket), { recursive: true, mode: 0o750 });
  await rm(socket, { force: true });
  const server = new Server();
  for (const [name, definition] of wireMethods(table)) {
    const answer = answers[name];
    if (answer) server.addService({ [name]: definition }, { [name]: unary(answer) });
  }
  await new Promise<void>((resolve, reject) => {
    server.bindAsync(`unix:${socket}`, ServerCredentials.createInsecure(), (error) =>
      error ? reject(error) : resolve(),
    );
  });
  await chmod(socket, 0o700);
  return { [Symbol.dispose]: () => server.forceShutdown() };
}

function unary(answer: Answer) {
  return (call: ServerUnaryCall<object, object>, callback: sendUnaryData<object>): void => {
    void respond(answer, call, callback);
  };
}

async function respond(
  answer: Answer,
  { request }: ServerUnaryCall<object, object>,
  send: sendUnaryData<object>,
): Promise<void> {
  try {
    send(null, await answer(request as never));
  } catch (error) {
    const code = error instanceof RpcRefusal ? error.code : unknownCode;
    send({ code, details: error instanceof Error ? error.message : String(error) });
  }
}
