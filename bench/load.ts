import { connect as connectHttp2 } from "node:http2";
import type { ClientHttp2Session } from "node:http2";
import { connect as connectTls } from "node:tls";
import type { TLSSocket } from "node:tls";
import process from "node:process";
import { readAnswers, requestText } from "#bench/http1.ts";

/** One load that the process `load.ts` puts on a server. `COUNT` and `LANE` in path and body become numbers. */
export interface Load {
  readonly port: number;
  readonly ca: string;
  readonly cert?: string;
  readonly key?: string;
  readonly protocol: "HTTP/1.1" | "HTTP/2";
  readonly method: string;
  readonly path: string;
  readonly contentType?: string;
  readonly body?: string;
  /** Requests under way at a time: connections with HTTP/1.1, streams of one connection with HTTP/2. */
  readonly lanes: number;
  readonly durationMs: number;
}

export interface LoadResult {
  readonly answers: number;
  readonly refused: number;
  readonly wallMs: number;
}

process.on("disconnect", () => process.exit());
if (process.send !== undefined) {
  process.on("message", (load: Load) => {
    void run(load).then((result) => process.send?.(result));
  });
  process.send("ready");
}

let count = 0;

async function run(load: Load): Promise<LoadResult> {
  const untilMs = performance.now() + load.durationMs;
  const tally = { answers: 0, refused: 0 };
  const answered = (status: number): boolean => {
    tally.answers += 1;
    if (status >= 300) tally.refused += 1;
    return performance.now() < untilMs;
  };
  const start = performance.now();
  await (load.protocol === "HTTP/1.1" ? overHttp1(load, answered) : overHttp2(load, answered));
  return { ...tally, wallMs: performance.now() - start };
}

/** Told of each answer's status; false when it was the last. */
type Answered = (status: number) => boolean;

async function overHttp1(load: Load, answered: Answered): Promise<void> {
  const sockets = await Promise.all(Array.from({ length: load.lanes }, () => open(load)));
  await Promise.all(sockets.map((socket, lane) => keepAsking(socket, { load, lane, answered })));
}

function open({ port, ca, cert, key }: Load): Promise<TLSSocket> {
  return new Promise((resolve, reject) => {
    const socket = connectTls({
      host: "127.0.0.1",
      port,
      ca,
      cert,
      key,
      ALPNProtocols: ["http/1.1"],
    });
    socket.setNoDelay(true);
    socket.once("secureConnect", () => resolve(socket));
    socket.once("error", reject);
  });
}

interface Lane {
  readonly load: Load;
  readonly lane: number;
  readonly answered: Answered;
}

function keepAsking(socket: TLSSocket, { load, lane, answered }: Lane): Promise<void> {
  return new Promise((resolve, reject) => {
    const ask = (): void => void socket.write(requestText(numbered(load, lane)));
    socket.on(
      "data",
      readAnswers((status) => {
        if (answered(status)) return ask();
        socket.destroy();
        resolve();
      }),
    );
    socket.once("error", reject);
    socket.once("close", () => resolve());
    ask();
  });
}

function numbered(load: Load, lane: number): Load {
  if (load.body === undefined) return load;
  count += 1;
  const fill = (text: string): string =>
    text.replaceAll("COUNT", `${process.pid}-${count}`).replaceAll("LANE", String(lane));
  return { ...load, path: fill(load.path), body: fill(load.body) };
}

async function overHttp2(load: Load, answered: Answered): Promise<void> {
  const { ca, cert, key } = load;
  const session = connectHttp2(`https://127.0.0.1:${load.port}`, { ca, cert, key });
  await Promise.all(
    Array.from({ length: load.lanes }, (_, lane) => askStreams(session, { load, lane, answered })),
  );
  session.destroy();
}

async function askStreams(
  session: ClientHttp2Session,
  { load, lane, answered }: Lane,
): Promise<void> {
  for (;;) if (!answered(await askStream(session, numbered(load, lane)))) return;
}

function askStream(session: ClientHttp2Session, load: Load): Promise<number> {
  return new Promise((resolve, reject) => {
    const stream = session.request({
      ":method": load.method,
      ":path": load.path,
      ...(load.contentType !== undefined && { "content-type": load.contentType }),
    });
    let status = 0;
    stream.on("response", (headers) => (status = headers[":status"] ?? 0));
    stream.on("data", () => {});
    stream.on("end", () => resolve(status));
    stream.on("error", reject);
    stream.end(load.body);
  });
}
