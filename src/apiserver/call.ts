import type { Kind, Subresource } from "#api/kind.ts";
import type { ApiRequest, UserInfo } from "#apiserver/request.ts";
import type { RequestInfo } from "#apiserver/request-info.ts";
import type { ServerState } from "#apiserver/server-state.ts";
import { Warnings } from "#apiserver/warnings.ts";

/** One request to one resource, on its way through the verbs. */
export interface Call {
  readonly server: ServerState;
  readonly request: ApiRequest;
  readonly info: RequestInfo;
  readonly kind: Kind;
  readonly subresource: Subresource | undefined;
  readonly user: UserInfo;
  readonly dryRun: boolean;
  readonly warnings: Warnings;
}

export function callOf(
  server: ServerState,
  target: Pick<Call, "request" | "info" | "kind" | "subresource" | "user">,
): Call {
  return { server, ...target, dryRun: dryRunOf(target.request.query), warnings: new Warnings() };
}

/** The manager that the request names, or the first part of its User-Agent, as upstream has it. */
export function managerOf(call: Call): string {
  const named = call.request.query.get("fieldManager");
  if (named) return named;
  const agent = call.request.header("user-agent") ?? "";
  return printablePrefix(agent.split("/")[0] ?? "");
}

/** Setting fields through a subresource is noted under its name. */
export function subresourceName(call: Call): string {
  return call.subresource?.name ?? "";
}

function dryRunOf(query: URLSearchParams): boolean {
  return query.size > 0 && query.getAll("dryRun").includes("All");
}

function printablePrefix(text: string): string {
  return text.replace(/[^\x20-\x7e]/g, "").slice(0, managerLettersMax);
}

const managerLettersMax = 128;
