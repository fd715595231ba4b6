import { isLongRunning } from "#apiserver/in-flight.ts";
import type { RequestSeries } from "#apiserver/request-metrics.ts";
import type { ApiRequest, ApiResponse, FrameSource, UserInfo } from "#apiserver/request.ts";
import type { RequestInfo } from "#apiserver/request-info.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/** Counts one request and measures how long its answer took. */
export interface Observed {
  named(info: RequestInfo): void;
  carriedOutAs(user: UserInfo): void;
  /** Hands the response on; a stream is counted until it ends. */
  answered(response: ApiResponse): ApiResponse;
}

export function observe(state: ServerState, request: ApiRequest): Observed {
  const startMs = state.clock.now();
  let info: RequestInfo | undefined;
  let asked: RequestInfo | undefined;
  let user = request.user;
  return {
    named: (named) => {
      asked = named;
      info = knownTarget(state, named, request);
    },
    carriedOutAs: (other) => (user = other),
    answered: (response) => {
      if (info === undefined || asked === undefined) return response;
      state.audit?.record({
        user: request.user,
        impersonated: user === request.user ? undefined : user,
        method: request.method,
        info: asked,
        code: statusOf(response),
        receivedMs: startMs,
        answeredMs: state.clock.now(),
      });
      const series = state.metrics.requests.of(info, isDryRun(request.query));
      series.answered(statusOf(response));
      if (!isLongRunning(info)) series.took((state.clock.now() - startMs) / 1_000);
      if (response.kind === "bytes" && readVerbs.has(info.verb)) series.sent(response.lengthBytes);
      return counted(series, response);
    },
  };
}

/** Names that are not served must not become labels: anybody could make up any number of them. */
function knownTarget(state: ServerState, info: RequestInfo, request: ApiRequest): RequestInfo {
  const kind = state.kinds.find(info.group, info.version, info.resource);
  const known =
    kind !== undefined &&
    (info.subresource === "" || kind.subresources.some((one) => one.name === info.subresource));
  if (known) return info;
  const verb = request.method.toLowerCase();
  return {
    ...info,
    isResource: false,
    verb,
    group: "",
    version: "",
    resource: "",
    subresource: "",
  };
}

const readVerbs: ReadonlySet<string> = new Set(["get", "list"]);

function isDryRun(query: URLSearchParams): boolean {
  return query.size > 0 && query.getAll("dryRun").includes("All");
}

function statusOf(response: ApiResponse): number {
  if (response.kind === "connect") return 101;
  return response.kind === "events" ? 200 : response.status;
}

function counted(series: RequestSeries, response: ApiResponse): ApiResponse {
  if (response.kind === "stream")
    return { ...response, frames: countedFrames(series, response.frames) };
  if (response.kind === "events")
    return { ...response, events: whileOpen(series, response.events) };
  return response;
}

function countedFrames(series: RequestSeries, frames: FrameSource): FrameSource {
  return {
    start: (sink) => {
      const close = series.opened();
      const end = (): void => {
        close();
        sink.end();
      };
      const flow = frames.start({ write: sink.write, end });
      const stop = (): void => {
        close();
        flow.stop();
      };
      return { resume: flow.resume, stop };
    },
  };
}

/** Counts a caller in the same process that takes events one by one. */
function whileOpen<T>(series: RequestSeries, items: AsyncIterable<T>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]: () => {
      const close = series.opened();
      const iterator = items[Symbol.asyncIterator]();
      return {
        next: async () => {
          const result = await iterator.next();
          if (result.done === true) close();
          return result;
        },
        return: async () => {
          close();
          await iterator.return?.();
          return { done: true, value: undefined };
        },
      };
    },
  };
}
