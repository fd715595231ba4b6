import { unknownResource } from "../refusals.ts";
import type { ApiRequest, ApiResponse } from "../request.ts";
import type { ServerState } from "../server-state.ts";

/** Answers a path that is no resource. */
export async function answerPath(_state: ServerState, _request: ApiRequest): Promise<ApiResponse> {
  throw unknownResource();
}
