import type { IncomingMessage } from "node:http";
import { request } from "node:https";
import { addAbortSignal } from "node:stream";
import type { PeerCertificate } from "node:tls";
import type { Clock } from "#base/clock.ts";
import {
  type ImageOffer,
  imagePathFor,
  offerHeader,
  readOffer,
  type SecretName,
} from "#agent/images/image-offer.ts";
import type { ImageSource } from "#agent/images/image-sources.ts";
import { timeLimit } from "#agent/images/slots.ts";
import { nodeHeader } from "#agent/streams/page.ts";

/** How this node is known to others, and whom it believes that they are nodes. */
export interface NodeIdentity {
  /** In PEM. */
  readonly certificate: string;
  readonly key: string;
  /** Those that sign nodes' serving certificates, in PEM. */
  readonly authorities: readonly string[];
}

/** A node answered, but not with the image. */
export class ImageRefusal extends Error {
  readonly status: number;

  constructor(status: number, message: string) {
    super(message);
    this.status = status;
  }
}

/** The server lets an asker wait for its turn: it may be that long before it answers. */
const answerMs = 30_000;
const refusalBytesMax = 64 * 1024;

export interface FetchOptions {
  readonly name: string;
  readonly secrets: readonly SecretName[];
  readonly identity: NodeIdentity;
  readonly clock: Clock;
  readonly signal: AbortSignal;
  readonly answerMs?: number;
}

/** Asks a node for an image. Throws an ImageRefusal when it does not give it. */
export async function fetchImage(
  source: ImageSource,
  options: FetchOptions,
): Promise<{ readonly offer: ImageOffer; readonly archive: IncomingMessage }> {
  const { clock, signal } = options;
  const afterMs = options.answerMs ?? answerMs;
  const message = `it did not answer within ${afterMs / 1000} s`;
  using limit = timeLimit(clock, { afterMs, message }, signal);
  const response = await answerOf(source, options, limit.signal);
  if (response.statusCode !== 200) throw await refusalOf(response, limit.signal);
  const archive = response;
  const leave = (): void => void archive.destroy(signal.reason as Error);
  signal.addEventListener("abort", leave, { once: true });
  archive.once("close", () => signal.removeEventListener("abort", leave));
  try {
    const header = response.headers[offerHeader];
    return { offer: readOffer(typeof header === "string" ? header : undefined), archive };
  } catch (error) {
    archive.destroy();
    throw error;
  }
}

function answerOf(
  { node, host, port }: ImageSource,
  { name, secrets, identity }: FetchOptions,
  signal: AbortSignal,
): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    const asking = request({
      host,
      port,
      path: imagePathFor(name, secrets),
      headers: { [nodeHeader]: node },
      agent: false,
      cert: identity.certificate,
      key: identity.key,
      ca: [...identity.authorities],
      checkServerIdentity: (_host, peer) => notTheNode(node, peer),
    });
    const leave = (): void => void asking.destroy(signal.reason as Error);
    signal.addEventListener("abort", leave, { once: true });
    const answered = (): void => signal.removeEventListener("abort", leave);
    asking.once("close", answered);
    asking.once("error", reject);
    asking.once("response", (response) => {
      answered();
      // What breaks later is told by the reader.
      asking.on("error", () => {});
      resolve(response);
    });
    asking.end();
    if (signal.aborted) leave();
  });
}

/** Nodes are known by the names that the cluster has signed; the server's own process speaks for several nodes. */
function notTheNode(node: string, { subject }: PeerCertificate): Error | undefined {
  const name = subject.CN;
  if (name === `system:node:${node}` || name === "system:node") return undefined;
  return new Error(`who answers there is "${String(name)}"`);
}

async function refusalOf(response: IncomingMessage, signal: AbortSignal): Promise<ImageRefusal> {
  const { statusCode = 0 } = response;
  const said = await shortText(addAbortSignal(signal, response));
  return new ImageRefusal(statusCode, messageIn(said) ?? `it answered with ${statusCode}`);
}

async function shortText(response: IncomingMessage): Promise<string> {
  let said = "";
  for await (const chunk of response) {
    said += String(chunk);
    if (said.length > refusalBytesMax) break;
  }
  return said;
}

/** Of a `Status`. */
function messageIn(said: string): string | undefined {
  try {
    const { message } = JSON.parse(said) as { readonly message?: unknown };
    return typeof message === "string" ? message : undefined;
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
}
