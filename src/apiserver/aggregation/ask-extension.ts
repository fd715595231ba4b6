import type { Extension } from "#apiserver/aggregation/extension-index.ts";
import { remoteUserHeaders } from "#apiserver/aggregation/remote-user.ts";
import { answerProblem } from "#apiserver/answer-problem.ts";
import type { OutgoingAnswer, OutgoingRequest } from "#apiserver/outgoing.ts";
import type { UserInfo } from "#apiserver/request.ts";
import type { ServerState } from "#apiserver/server-state.ts";
import { addressOf } from "#apiserver/service-address.ts";

/** The server's own wishes to an extension server. */
export const aggregatorUser: UserInfo = {
  name: "system:kube-aggregator",
  groups: ["system:masters"],
};

/** A request to an extension server; `path` with its query. Throws an `Error` when its service has no endpoint. */
export function requestTo(
  state: ServerState,
  extension: Extension,
  { path, user }: { readonly path: string; readonly user: UserInfo },
): OutgoingRequest {
  const address = addressOf(state, extension.service);
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  return {
    method: "GET",
    url: `https://${host}:${address.port}${path}`,
    address,
    headers: { accept: "application/json", ...remoteUserHeaders(user) },
    trust: extension.trust,
    timeoutMs: discoveryTimeoutMs,
    limitBytes: documentLimitBytes,
  };
}

const discoveryTimeoutMs = 5_000;
const documentLimitBytes = 32 * 1024 * 1024;

/** What an extension server answers to a question of this server's own. Throws an `Error` when it does not. */
export async function askExtension(
  state: ServerState,
  extension: Extension,
  path: string,
): Promise<OutgoingAnswer> {
  if (state.outgoing === undefined) throw new Error("this server cannot reach extension servers");
  const request = requestTo(state, extension, { path, user: aggregatorUser });
  const answer = await state.outgoing.send(request);
  const problem = answerProblem(answer);
  if (problem !== undefined) throw problem;
  return answer;
}
