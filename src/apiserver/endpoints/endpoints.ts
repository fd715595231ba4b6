import type { JsonObject } from "#api/kind.ts";
import type { MetricsRegistry } from "#base/metrics.ts";
import { formOf } from "#apiserver/content/accept.ts";
import { textResponse } from "#apiserver/content/bytes.ts";
import { encodeValue } from "#apiserver/content/encode.ts";
import { answerDiscovery } from "#apiserver/endpoints/discovery.ts";
import { answerHealth } from "#apiserver/endpoints/health.ts";
import { answerOpenApi } from "#apiserver/endpoints/openapi.ts";
import { answerFairnessDump, fairnessDumpPrefix } from "#apiserver/fairness/dump.ts";
import { answerProfiles } from "#apiserver/endpoints/profiles.ts";
import {
  answerTokenDiscovery,
  tokenConfigurationPath,
  tokenKeysPath,
} from "#apiserver/endpoints/token-discovery.ts";
import { methodNotAllowed, unknownResource } from "#apiserver/refusals.ts";
import type { ApiRequest, ApiResponse } from "#apiserver/request.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/** Answers a path that is no resource. */
export async function answerPath(state: ServerState, request: ApiRequest): Promise<ApiResponse> {
  const path = request.path.replace(/(?<=.)\/+$/, "");
  const answer = answerOf(state, request, path);
  if (answer === undefined) throw unknownResource();
  if (request.method !== "GET" && request.method !== "HEAD") throw methodNotAllowed();
  const response = await answer();
  if (response === undefined) throw unknownResource();
  return response;
}

type Answering = () => ApiResponse | undefined | Promise<ApiResponse | undefined>;

function answerOf(state: ServerState, request: ApiRequest, path: string): Answering | undefined {
  const [first = ""] = path.split("/").filter(Boolean);
  switch (first) {
    case "":
      return () => valueOf(request, { paths: rootPaths });
    case "api":
    case "apis":
      return () => answerDiscovery(state, request, path);
    case ".well-known":
    case "openid":
      return () => answerTokenDiscovery(state.tokenDiscovery, path);
    case "openapi":
      return () => answerOpenApi(state, request, path);
    case "healthz":
    case "livez":
    case "readyz":
      return () => answerHealth(state, request, path);
    case "version":
      return path === "/version" ? () => valueOf(request, { ...state.version }) : undefined;
    case "debug":
      return () =>
        path.startsWith(fairnessDumpPrefix)
          ? answerFairnessDump(state, request, path)
          : answerProfiles(state.profiler, request, path);
    case "metrics":
      if (path === "/metrics/slis") return () => metricsOf(state.metrics.health.registry);
      return path === "/metrics" ? () => metricsOf(state.metrics.registry) : undefined;
    default:
      return undefined;
  }
}

const rootPaths = [
  tokenConfigurationPath,
  "/api",
  "/api/v1",
  "/apis",
  "/debug/api_priority_and_fairness/dump_priority_levels",
  "/debug/api_priority_and_fairness/dump_queues",
  "/debug/api_priority_and_fairness/dump_requests",
  "/debug/pprof",
  "/healthz",
  "/livez",
  "/metrics",
  "/metrics/slis",
  "/openapi/v2",
  "/openapi/v3",
  tokenKeysPath,
  "/readyz",
  "/version",
];

function valueOf(request: ApiRequest, value: JsonObject): ApiResponse {
  // These are no objects of any kind: they have no other form than JSON.
  const form = formOf(request, { as: ["object"], protobuf: false, yaml: false });
  return encodeValue(request, { status: 200, headers: [], value }, form);
}

function metricsOf(registry: MetricsRegistry): ApiResponse {
  const response = textResponse(200, registry.exposition());
  return { ...response, headers: [["content-type", "text/plain; version=0.0.4; charset=utf-8"]] };
}
