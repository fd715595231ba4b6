import type { Status } from "#api/generated/types.ts";
import { randomUid } from "#base/random.ts";
import type { AuditTrail } from "#apiserver/audit/auditor.ts";
import type { Decision } from "#apiserver/authorizer.ts";
import { isLongRunning } from "#apiserver/in-flight.ts";
import type { RequestSeries } from "#apiserver/request-metrics.ts";
import type { ApiRequest, ApiResponse, FrameSource, UserInfo } from "#apiserver/request.ts";
import type { RequestInfo } from "#apiserver/request-info.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/** Counts one request, measures how long its answer took, and has it recorded. */
export interface Observed {
  named(info: RequestInfo): void;
  carriedOutAs(user: UserInfo): void;
  decided(decision: Decision): void;
  /** Hands the response on; a stream is counted until it ends. */
  answered(response: ApiResponse, refusal?: Status): ApiResponse;
}

export function observe(state: ServerState, request: ApiRequest): Observed {
  const startMs = state.clock.now();
  let info: RequestInfo | undefined;
  let trail: AuditTrail | undefined;
  const auditId = auditIdOf(state, request);
  return {
    named: (named) => {
      info = knownTarget(state, named, request);
      trail = state.audit?.begin({ request, info: named, auditId, receivedMs: startMs });
    },
    carriedOutAs: (user) => trail?.carriedOutAs(user),
    decided: (decision) => trail?.decided(decision),
    answered: (plain, refusal) => {
      if (info === undefined) return plain;
      const recorded = trail?.answered(plain, refusal) ?? plain;
      const response = request.answer === "bytes" ? withAuditId(recorded, auditId) : recorded;
      const series = state.metrics.requests.of(info, isDryRun(request.query));
      series.answered(statusOf(response));
      if (!isLongRunning(info)) series.took((state.clock.now() - startMs) / 1_000);
      if (response.kind === "bytes" && readVerbs.has(info.verb)) series.sent(response.lengthBytes);
      return counted(series, response, () => trail?.ended());
    },
  };
}

/** The client's own, so that it finds its request in the log; else a new one. */
function auditIdOf(state: ServerState, request: ApiRequest): string {
  if (request.answer === "objects" && state.audit === undefined) return "";
  const asked = request.header("audit-id");
  return asked !== undefined && /^[!-~]{1,64}$/.test(asked) ? asked : randomUid(state.random);
}

function withAuditId(response: ApiResponse, auditId: string): ApiResponse {
  return { ...response, headers: [...response.headers, ["audit-id", auditId]] };
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

function counted(series: RequestSeries, response: ApiResponse, ended: () => void): ApiResponse {
  const opened = (): (() => void) => {
    const close = series.opened();
    return () => {
      close();
      ended();
    };
  };
  if (response.kind === "stream")
    return { ...response, frames: countedFrames(opened, response.frames) };
  if (response.kind === "events")
    return { ...response, events: whileOpen(opened, response.events) };
  if (response.kind === "connect") return { ...response, ended };
  return response;
}

function countedFrames(opened: () => () => void, frames: FrameSource): FrameSource {
  return {
    start: (sink) => {
      const close = opened();
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
function whileOpen<T>(opened: () => () => void, items: AsyncIterable<T>): AsyncIterable<T> {
  return {
    [Symbol.asyncIterator]: () => {
      const close = opened();
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
