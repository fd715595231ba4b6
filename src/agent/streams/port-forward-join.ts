import type { Duplex, Readable, Writable } from "node:stream";
import { pipeline } from "node:stream/promises";

/**
 * Joins a client's stream and a connection inside a pod until both directions have ended. One direction may end long
 * before the other. Resolves when the connection is over, also when a side broke off: a client that loses a TCP
 * connection learns it by the stream's end, as it would from the port itself.
 */
export async function joinConnections(
  client: { readonly input: Readable; readonly output: Writable },
  target: Duplex,
): Promise<void> {
  target.on("error", () => {});
  const inbound = pipeline(client.input, target).catch(() => target.destroy());
  const outbound = pipeline(target, client.output).catch(() => target.destroy());
  await Promise.all([inbound, outbound]);
  target.destroy();
}
