import { textResponse } from "#apiserver/content/bytes.ts";
import { estimateSeats } from "#apiserver/fairness/estimate-seats.ts";
import { TooManyRequests, type Admitted } from "#apiserver/fairness/fairness.ts";
import type { Flow } from "#apiserver/fairness/configuration.ts";
import { isLongRunning } from "#apiserver/in-flight.ts";
import type { ApiRequest, ApiResponse, UserInfo } from "#apiserver/request.ts";
import type { RequestInfo } from "#apiserver/request-info.ts";
import type { ServerState } from "#apiserver/server-state.ts";

interface Coming {
  readonly request: ApiRequest;
  readonly info: RequestInfo;
  readonly user: UserInfo;
}

/**
 * Undefined where nothing has to be taken: by connections that only pass bytes on, and by what is part of this very
 * process, which would only wait for itself.
 */
export function takeSeat(
  state: ServerState,
  { request, info, user }: Coming,
): Admitted | Promise<Admitted> | undefined {
  if (request.answer === "objects") return undefined;
  if (info.verb !== "watch" && isLongRunning(info)) return undefined;
  const seats = estimateSeats(state, info, request.query);
  return state.fairness.enter({ user, info, seats, request });
}

/** The answer to a request that was not let in; undefined for another error. */
export function answerTooMany(error: unknown): ApiResponse | undefined {
  if (!(error instanceof TooManyRequests)) return undefined;
  const retryAfter = ["retry-after", String(error.retryAfterSeconds)] as const;
  const { headers } = error.flow;
  const response = textResponse(429, "Too many requests, please try again later.\n");
  return { ...response, headers: [...response.headers, retryAfter, ...headers] };
}

/** Tells a client how its request was classified. */
export function classified(response: ApiResponse, flow: Flow | undefined): ApiResponse {
  if (flow === undefined) return response;
  return { ...response, headers: [...response.headers, ...flow.headers] };
}
