import type { Json } from "#api/meta.ts";
import type { JsonObject } from "#api/kind.ts";
import { internalError, StatusError } from "#api/status.ts";
import { isObject } from "#apiserver/objects/json.ts";
import type { OutgoingRequest, OutgoingStream, Trust } from "#apiserver/outgoing.ts";
import type { ApiRequest, ApiResponse, ObjectEvent } from "#apiserver/request.ts";
import type { ServerState } from "#apiserver/server-state.ts";
import type { Address } from "#apiserver/service-address.ts";

/** What a caller in this process asks of an extension server. */
export interface ExtensionTarget {
  readonly address: Address;
  readonly trust: Trust;
  /** With the query. */
  readonly path: string;
  readonly headers: Readonly<Record<string, string | readonly string[]>>;
}

/** Answers objects, or a watch's events, as the server's own kinds do for callers in this process. */
export async function fetchObjects(
  state: ServerState,
  request: ApiRequest,
  target: ExtensionTarget,
): Promise<ApiResponse> {
  if (state.outgoing === undefined)
    throw internalError("this server cannot reach extension servers");
  const answer = await reached(state.outgoing.stream(requestTo(request, target)));
  const isWatch = request.query.get("watch") !== null && answer.status === 200;
  if (isWatch) return { kind: "events", headers: [], events: events(answer.body) };
  const value = parsed(await collected(answer.body));
  return { kind: "object", status: answer.status, headers: [], value };
}

function requestTo(
  request: ApiRequest,
  { address, trust, path, headers }: ExtensionTarget,
): OutgoingRequest {
  const { body } = request;
  const host = address.host.includes(":") ? `[${address.host}]` : address.host;
  const type = request.header("content-type");
  return {
    method: request.method,
    url: `https://${host}:${address.port}${path}`,
    address,
    trust,
    headers: { accept: "application/json", ...(type && { "content-type": type }), ...headers },
    ...(body.kind === "object" && { body: new TextEncoder().encode(JSON.stringify(body.value)) }),
    timeoutMs,
    limitBytes,
    signal: request.signal,
  };
}

const timeoutMs = 60_000;
const limitBytes = 64 * 1024 * 1024;

async function reached(answering: Promise<OutgoingStream>): Promise<OutgoingStream> {
  try {
    return await answering;
  } catch (error) {
    const why = error instanceof Error ? error.message : String(error);
    const message = `error trying to reach service: ${why}`;
    throw new StatusError({ code: 503, reason: "ServiceUnavailable", message });
  }
}

async function collected(body: AsyncIterable<Uint8Array>): Promise<string> {
  const decoder = new TextDecoder();
  let text = "";
  for await (const chunk of body) text += decoder.decode(chunk, { stream: true });
  return text + decoder.decode();
}

function parsed(text: string): JsonObject {
  try {
    const value: unknown = JSON.parse(text);
    if (isObject(value)) return value;
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
  }
  throw internalError("the extension server did not answer an object");
}

/** A line an event. */
async function* events(body: AsyncIterable<Uint8Array>): AsyncGenerator<ObjectEvent> {
  const decoder = new TextDecoder();
  let rest = "";
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split("\n");
    rest = lines.pop() ?? "";
    for (const line of lines) {
      if (line !== "") yield JSON.parse(line) as { type: ObjectEvent["type"]; object: Json };
    }
  }
}
