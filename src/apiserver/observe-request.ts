import { isLongRunning } from "#apiserver/in-flight.ts";
import { requestLabels, targetLabels } from "#apiserver/metrics.ts";
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
      const { requests, durations } = state.metrics;
      requests.add(requestLabels(info, statusOf(response)));
      if (!isLongRunning(info))
        durations.observe(targetLabels(info), (state.clock.now() - startMs) / 1_000);
      return counted(state, info, response);
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

function statusOf(response: ApiResponse): number {
  if (response.kind === "connect") return 101;
  return response.kind === "events" ? 200 : response.status;
}

function counted(state: ServerState, info: RequestInfo, response: ApiResponse): ApiResponse {
  if (response.kind === "stream")
    return { ...response, frames: countedFrames(state, info, response.frames) };
  if (response.kind === "events")
    return { ...response, events: whileOpen(state, info, response.events) };
  return response;
}

function countedFrames(state: ServerState, info: RequestInfo, frames: FrameSource): FrameSource {
  return {
    start: (sink) => {
      const close = opened(state, info);
      const end = (): void => {
        close();
        sink.end();
      };
      const flow = frames.start({ write: (bytes) => sink.write(bytes), end });
      const stop = (): void => {
        close();
        flow.stop();
      };
      return { resume: () => flow.resume(), stop };
    },
  };
}

/** Counts a stream among those open until the answer is called. */
function opened(state: ServerState, info: RequestInfo): () => void {
  const { longRunning } = state.metrics;
  const labels = targetLabels(info);
  longRunning.add(labels, 1);
  let open = true;
  return () => {
    if (open) longRunning.add(labels, -1);
    open = false;
  };
}

/** Counts a caller in the same process that takes events one by one. */
function whileOpen<T>(
  state: ServerState,
  info: RequestInfo,
  items: AsyncIterable<T>,
): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]: () => {
      const close = opened(state, info);
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
