import { connect } from "node:http2";
import type { ClientHttp2Session } from "node:http2";
import process from "node:process";

/** Watchers in a process of their own, 100 streams to a connection: counts the events that reach them. */
export interface WatchLoad {
  readonly port: number;
  readonly ca: string;
  readonly cert?: string;
  readonly key?: string;
  readonly path: string;
  readonly watchers: number;
  /** How many events are to come, all watchers together. */
  readonly events: number;
}

const streamsPerConnection = 100;

process.on("disconnect", () => process.exit());
process.on("message", (load: WatchLoad) => void watch(load));
process.send?.("ready");

async function watch(load: WatchLoad): Promise<void> {
  let missing = load.events;
  const { ca, cert, key } = load;
  const connections = Math.ceil(load.watchers / streamsPerConnection);
  const sessions = Array.from({ length: connections }, () =>
    connect(`https://127.0.0.1:${load.port}`, { ca, cert, key }),
  );
  const opened = Array.from({ length: load.watchers }, (_, at) =>
    open(sessions[at % connections], load.path, (events) => {
      missing -= events;
      if (missing > 0) return;
      process.send?.("all");
      for (const session of sessions) session.destroy();
    }),
  );
  await Promise.all(opened);
  process.send?.("open");
}

/** Resolves when the answer has begun; an event is a line. */
function open(
  session: ClientHttp2Session | undefined,
  path: string,
  onEvents: (count: number) => void,
): Promise<void> {
  return new Promise((resolve, reject) => {
    if (session === undefined) return reject(new Error("there is a session for each watcher"));
    const stream = session.request({ ":path": path });
    stream.on("response", () => resolve());
    stream.on("data", (chunk: Buffer) => {
      let lines = 0;
      for (let at = chunk.indexOf(10); at >= 0; at = chunk.indexOf(10, at + 1)) lines += 1;
      if (lines > 0) onEvents(lines);
    });
    stream.on("error", () => {});
  });
}
