import type { JsonObject } from "#api/kind.ts";
import { isObject } from "#apiserver/objects/json.ts";
import type { OutgoingAnswer, OutgoingRequest } from "#apiserver/outgoing.ts";
import { addressOf } from "#apiserver/service-address.ts";
import { answerProblem } from "#apiserver/answer-problem.ts";
import type { ServerState } from "#apiserver/server-state.ts";

/** Where a webhook is: a `WebhookClientConfig` of either group. */
export interface WebhookClient {
  readonly url?: string;
  readonly service?: {
    readonly namespace: string;
    readonly name: string;
    readonly path?: string;
    readonly port?: number;
  };
  /** PEM in base64. */
  readonly caBundle?: string;
}

/** One question to a webhook, of admission or of conversion. */
export interface Question {
  readonly client: WebhookClient;
  readonly body: JsonObject;
  /** What the webhook is told it has, in whole seconds. */
  readonly timeoutSeconds: number;
  readonly limitBytes: number;
  readonly signal?: AbortSignal;
}

/** Posts the question and answers the object that comes back. Throws an `Error` in upstream's words. */
export async function ask(server: ServerState, question: Question): Promise<JsonObject> {
  if (server.outgoing === undefined) throw new Error("this server cannot call webhooks");
  const answer = await server.outgoing.send(requestOf(server, question));
  const problem = answerProblem(answer);
  if (problem !== undefined) throw problem;
  return decoded(answer);
}

function requestOf(server: ServerState, question: Question): OutgoingRequest {
  const { client, timeoutSeconds } = question;
  const bytes = encoder.encode(JSON.stringify(question.body));
  const authorities = authoritiesOf(client);
  return {
    ...targetOf(server, client, timeoutSeconds),
    method: "POST",
    headers: {
      accept: "application/json, */*",
      "content-type": "application/json",
      "user-agent": "kube-apiserver-admission",
    },
    body: bytes,
    timeoutMs: timeoutSeconds * 1_000,
    limitBytes: question.limitBytes,
    trust: {
      ...(authorities !== "" && { authorities }),
      ...(client.service && {
        serverName: `${client.service.name}.${client.service.namespace}.svc`,
      }),
    },
    ...(question.signal && { signal: question.signal }),
  };
}

const decodedBundles = new WeakMap<WebhookClient, string>();

/** Decoded once for a configuration; "" where it has none. */
function authoritiesOf(client: WebhookClient): string {
  let authorities = decodedBundles.get(client);
  if (authorities === undefined) {
    authorities = atob(client.caBundle ?? "").trim();
    decodedBundles.set(client, authorities);
  }
  return authorities;
}

function targetOf(
  server: ServerState,
  { service, url }: WebhookClient,
  timeoutSeconds: number,
): Pick<OutgoingRequest, "url" | "address"> {
  const query = `?timeout=${timeoutSeconds}s`;
  if (!service) return { url: `${url ?? ""}${query}` };
  const { name, namespace, path = "", port = 443 } = service;
  const asked = `https://${name}.${namespace}.svc:${port}${rooted(path)}${query}`;
  try {
    return { url: asked, address: addressOf(server, { name, namespace, port }) };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new Error(`Post ${JSON.stringify(asked)}: ${why}`, { cause });
  }
}

function rooted(path: string): string {
  return path.startsWith("/") || path === "" ? path || "/" : `/${path}`;
}

function decoded(answer: OutgoingAnswer): JsonObject {
  const value: unknown = JSON.parse(new TextDecoder().decode(answer.body));
  if (!isObject(value)) throw new Error("the answer is no object");
  return value;
}

const encoder = new TextEncoder();
