import type { ApiServer } from "#apiserver/server.ts";
import type { ApiRequest, ApiResponse, ObjectEvent, UserInfo } from "#apiserver/request.ts";
import { StatusError } from "#api/status.ts";
import type { Status } from "#api/generated/types.ts";
import type {
  Transport,
  TransportRequest,
  TransportResponse,
  TransportWatchEvent,
} from "#client/transport.ts";

/**
 * Joins a client to an API server in the same process: objects go in and come out as they are, frozen and shared,
 * nothing is encoded. Every request is made as `user`; `userAgent` names the field manager of writes.
 */
export function createInProcessTransport(
  server: ApiServer,
  user: UserInfo,
  userAgent = "kogge",
): Transport {
  const caller: Caller = { server, user, userAgent };
  return {
    request: async (request) => {
      if (isLongStreak()) await turnForOthers();
      return answered(await send(caller, request, {}));
    },
    watch: async (request) => opened(await send(caller, request, { watch: "true" })),
  };
}

interface Caller {
  readonly server: ApiServer;
  readonly user: UserInfo;
  readonly userAgent: string;
}

/**
 * A store in memory answers without a turn of the event loop, so a loop of requests could keep everything else
 * waiting: connections that are to be written, watchers that fall behind. After `streakMax` it gives them a turn.
 */
function isLongStreak(): boolean {
  streak += 1;
  if (streak === 1) setImmediate(() => (streak = 0));
  return streak > streakMax;
}

function turnForOthers(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Requests since the last turn. Well below the events that a watcher may be behind. */
let streak = 0;
const streakMax = 256;

function send(
  { server, user, userAgent }: Caller,
  request: TransportRequest,
  more: Readonly<Record<string, string>>,
): Promise<ApiResponse> {
  const headers: Readonly<Record<string, string | undefined>> = {
    "content-type": request.contentType ?? "application/json",
    "user-agent": userAgent,
  };
  const apiRequest: ApiRequest = {
    method: request.method,
    path: request.path,
    query: queryOf({ ...request.query, ...more }),
    header: (name) => headers[name],
    body: request.body === undefined ? { kind: "none" } : { kind: "object", value: request.body },
    user,
    signal: request.signal ?? neverAborted,
    answer: "objects",
  };
  return server.handle(apiRequest);
}

const neverAborted = new AbortController().signal;

function queryOf(values: Readonly<Record<string, string | undefined>>): URLSearchParams {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value !== undefined) query.set(name, value);
  }
  return query;
}

function answered(response: ApiResponse): TransportResponse {
  if (response.kind === "object") return { status: response.status, value: response.value };
  if (response.kind === "bytes") return { status: response.status, value: textOf(response.chunks) };
  throw new Error(`Cannot take a "${response.kind}" answer in the same process`);
}

function opened(response: ApiResponse): AsyncIterable<TransportWatchEvent> {
  if (response.kind === "events") return response.events satisfies AsyncIterable<ObjectEvent>;
  if (response.kind === "object") throw refusalOf(response.value as Status);
  throw new Error(`Cannot watch what answers "${response.kind}"`);
}

function refusalOf(status: Status): StatusError {
  return new StatusError({
    code: status.code ?? 500,
    reason: status.reason ?? "",
    message: status.message ?? "",
    ...(status.details && { details: status.details }),
  });
}

function textOf(chunks: Iterable<Uint8Array>): string {
  const decoder = new TextDecoder();
  let text = "";
  for (const chunk of chunks) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}
