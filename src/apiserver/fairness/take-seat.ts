import type { JsonObject } from "#api/kind.ts";
import { textResponse } from "#apiserver/content/bytes.ts";
import { estimateSeats } from "#apiserver/fairness/estimate-seats.ts";
import { TooManyRequests, type Admitted } from "#apiserver/fairness/fairness.ts";
import type { Flow } from "#apiserver/fairness/configuration.ts";
import { isLongRunning } from "#apiserver/in-flight.ts";
import { tooManyRequests } from "#apiserver/refusals.ts";
import type { ApiRequest, ApiResponse, UserInfo } from "#apiserver/request.ts";
import type { RequestInfo } from "#apiserver/request-info.ts";
import type { ServerState } from "#apiserver/server-state.ts";

interface Coming {
  readonly request: ApiRequest;
  readonly info: RequestInfo;
  readonly user: UserInfo;
}

/** Undefined where nothing has to be taken: connections that only pass bytes on. */
export function takeSeat(
  state: ServerState,
  { request, info, user }: Coming,
): Admitted | Promise<Admitted> | undefined {
  if (info.verb !== "watch" && isLongRunning(info)) return undefined;
  const seats = estimateSeats(state, info, request.query);
  return state.fairness.enter({ user, info, seats, request });
}

/** The answer to a request that was not let in; undefined for another error. */
export function answerTooMany(request: ApiRequest, error: unknown): ApiResponse | undefined {
  if (!(error instanceof TooManyRequests)) return undefined;
  const retryAfter = ["retry-after", String(error.retryAfterSeconds)] as const;
  const { headers } = error.flow;
  if (request.answer === "objects") {
    const { status } = tooManyRequests(error.retryAfterSeconds);
    return { kind: "object", status: 429, headers, value: status as unknown as JsonObject };
  }
  const response = textResponse(429, "Too many requests, please try again later.\n");
  return { ...response, headers: [...response.headers, retryAfter, ...headers] };
}

/** Tells a client how its request was classified. */
export function classified(
  request: ApiRequest,
  response: ApiResponse,
  flow: Flow | undefined,
): ApiResponse {
  if (flow === undefined || request.answer === "objects") return response;
  return { ...response, headers: [...response.headers, ...flow.headers] };
}
