import { Agent, request } from "node:https";
import type { IncomingMessage } from "node:http";
import { once } from "node:events";
import { buffer } from "node:stream/consumers";
import { tlsOf } from "#test/raw-client.ts";
import type { Access } from "#test/raw-client.ts";

/** What became of a write: the answer's status and body, or undefined when none came. */
export interface WriteOutcome {
  readonly status: number;
  readonly object: { readonly reason?: string; readonly message?: string };
}

/** Writes over a few connections that are kept open. Dispose of it to close them. */
export function createWriter(access: Access, connections = 8) {
  const agent = new Agent({ ...tlsOf(access), keepAlive: true, maxSockets: connections });
  const ask = async (
    method: string,
    path: string,
    body?: object,
  ): Promise<WriteOutcome | undefined> => {
    const outgoing = request({ ...tlsOf(access), agent, method, path });
    outgoing.setHeader("content-type", "application/json");
    const text = body === undefined ? "" : JSON.stringify(body);
    outgoing.setHeader("content-length", Buffer.byteLength(text));
    try {
      outgoing.end(text);
      const [answer] = (await once(outgoing, "response")) as [IncomingMessage];
      const received = (await buffer(answer)).toString();
      return {
        status: answer.statusCode ?? 0,
        object: JSON.parse(received) as WriteOutcome["object"],
      };
    } catch {
      // The server went away: nobody knows what became of it.
      return undefined;
    }
  };
  return { ask, [Symbol.dispose]: () => agent.destroy() };
}

export type Writer = ReturnType<typeof createWriter>;
