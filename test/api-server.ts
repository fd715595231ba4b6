import { builtinKinds } from "#api/kinds/builtin-kinds.ts";
import type { JsonObject } from "#api/kind.ts";
import type { Clock } from "#base/clock.ts";
import { silentLog } from "#base/log.ts";
import { seededRandom } from "#base/random.ts";
import { createMemoryStore } from "#storage/memory-store.ts";
import type { Store } from "#storage/store.ts";
import type { ApiServerParts } from "#apiserver/parts.ts";
import type {
  ApiRequest,
  ApiResponse,
  FrameFlow,
  FrameSource,
  UserInfo,
} from "#apiserver/request.ts";
import { createApiServer, type ApiServer } from "#apiserver/server.ts";

/** The real server over a memory store, with a clock that stands until a test moves it. For tests only. */
export interface TestServer extends AsyncDisposable {
  readonly server: ApiServer;
  readonly store: Store;
  readonly clock: TestClock;
  /** Sends a request as a client over the network would and decodes the answer. */
  send(method: string, path: string, options?: SendOptions): Promise<Answered>;
  /** Opens a watch; `next` takes its events one by one. */
  watch(path: string): Promise<TestWatch>;
}

export interface SendOptions {
  readonly body?: unknown;
  readonly text?: string;
  readonly headers?: Readonly<Record<string, string>>;
  readonly user?: UserInfo;
}

export interface Answered {
  readonly status: number;
  readonly headers: readonly (readonly [string, string])[];
  readonly text: string;
  readonly body: JsonObject;
  readonly response: ApiResponse;
}

export interface TestWatch {
  next(): Promise<{ readonly type: string; readonly object: JsonObject } | undefined>;
  close(): void;
}

export const admin: UserInfo = {
  name: "admin",
  groups: ["system:masters", "system:authenticated"],
};

export async function createTestServer(parts: Partial<ApiServerParts> = {}): Promise<TestServer> {
  const store = parts.store ?? createMemoryStore();
  const clock = new TestClock();
  const server = await createApiServer({
    store,
    kinds: builtinKinds(),
    clock,
    random: seededRandom(1),
    log: silentLog,
    serviceNetwork: { serviceCidr: "10.96.0.0/24", nodePorts: { from: 30_000, to: 30_003 } },
    ...parts,
  });
  return {
    server,
    store,
    clock,
    send: async (method, path, options = {}) =>
      decoded(await server.handle(requestOf(method, path, options))),
    watch: (path) => openWatch(server, path),
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

export function requestOf(method: string, path: string, options: SendOptions = {}): ApiRequest {
  const [pathname = "", query = ""] = path.split("?");
  const headers: Readonly<Record<string, string>> = {
    "user-agent": "tester/v1",
    ...(options.body !== undefined && { "content-type": "application/json" }),
    ...options.headers,
  };
  const text = options.text ?? (options.body === undefined ? "" : JSON.stringify(options.body));
  const bytes = new TextEncoder().encode(text);
  return {
    method,
    path: pathname,
    query: new URLSearchParams(query),
    header: (name) => headers[name],
    headerNames: () => Object.keys(headers),
    body: {
      kind: "bytes",
      read: (limit) => Promise.resolve(bytes.length > limit ? undefined : bytes),
    },
    user: options.user ?? admin,
    signal: new AbortController().signal,
    answer: "bytes",
  };
}

function decoded(response: ApiResponse): Answered {
  if (response.kind !== "bytes") {
    const status = "status" in response ? response.status : 0;
    return { status, headers: response.headers, text: "", body: {}, response };
  }
  const bytes = Buffer.concat([...response.chunks]);
  if (bytes.length !== response.lengthBytes) throw new Error("the length that was told is wrong");
  const text = bytes.toString();
  const isJson = text.startsWith("{");
  const body = isJson ? (JSON.parse(text) as JsonObject) : {};
  return { status: response.status, headers: response.headers, text, body, response };
}

async function openWatch(server: ApiServer, path: string): Promise<TestWatch> {
  const stop = new AbortController();
  const request = { ...requestOf("GET", path), signal: stop.signal };
  const response = await server.handle(request);
  if (response.kind !== "stream")
    throw new Error(`Cannot watch ${path}: ${JSON.stringify(decoded(response).body)}`);
  const frames = readFrames(response.frames);
  return {
    next: async () => {
      const frame = await frames.next();
      return frame && (JSON.parse(new TextDecoder().decode(frame)) as WatchedEvent);
    },
    close: () => stop.abort(),
  };
}

interface WatchedEvent {
  readonly type: string;
  readonly object: JsonObject;
}

export interface FramesRead {
  /** The next line; undefined at the end. */
  next(): Promise<Uint8Array | undefined>;
  readonly flow: FrameFlow;
}

/** Takes frames one line at a time, whatever comes at once. */
export function readFrames(source: FrameSource): FramesRead {
  const lines: Uint8Array[] = [];
  let ended = false;
  let wake = (): void => {};
  const flow = source.start({
    write: (bytes) => {
      for (let from = 0; from < bytes.length;) {
        const end = bytes.indexOf(10, from) + 1 || bytes.length;
        lines.push(bytes.subarray(from, end));
        from = end;
      }
      wake();
      return lines.length < unreadMax;
    },
    end: () => {
      ended = true;
      wake();
    },
  });
  return {
    flow,
    next: async () => {
      if (lines.length === 0) flow.resume();
      while (lines.length === 0 && !ended) await new Promise<void>((resolve) => (wake = resolve));
      return lines.shift();
    },
  };
}

/** Like a connection, a reader that takes nothing soon holds its watch back. */
const unreadMax = 4;

/** Time that moves only when it is told to. */
export class TestClock implements Clock {
  #now = Date.parse("2026-01-01T00:00:00Z");
  #timers: { readonly at: number; readonly act: () => void }[] = [];

  now(): number {
    return this.#now;
  }

  after(delayMs: number, act: () => void): () => void {
    const timer = { at: this.#now + delayMs, act };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  advance(ms: number): void {
    const end = this.#now + ms;
    for (;;) {
      const due = this.#timers.filter(({ at }) => at <= end).toSorted((a, b) => a.at - b.at)[0];
      if (due === undefined) break;
      this.#now = due.at;
      this.#timers = this.#timers.filter((other) => other !== due);
      due.act();
    }
    this.#now = end;
  }
}
