import type { Duplex } from "node:stream";
import type { WebSocket } from "ws";
import { joinConnections } from "#agent/streams/port-forward-join.ts";
import { portForwardFailure } from "#agent/streams/port-forward-spdy.ts";
import type { PortForwardParts } from "#agent/streams/port-forward-spdy.ts";
import { WebSocketChannels } from "#agent/streams/web-socket-channels.ts";

/** The older subprotocols: two channels a port, for data and for an error text. */
export const webSocketPortForwardProtocols: readonly string[] = [
  "v4.channel.k8s.io",
  "v4.base64.channel.k8s.io",
];

/**
 * Serves the ports named in the request, one connection each, until all of them are over or the client is gone. Both
 * channels of a port begin with its number in two bytes, little-endian.
 */
export async function serveWebSocketPortForward(
  socket: WebSocket,
  ports: readonly number[],
  parts: PortForwardParts,
): Promise<void> {
  const channels = new WebSocketChannels(socket, socket.protocol);
  const forwards = ports.map((port, index) => forward(channels, { port, index }, parts));
  await Promise.race([Promise.all(forwards), channels.gone]);
  channels.close();
}

async function forward(
  channels: WebSocketChannels,
  { port, index }: { readonly port: number; readonly index: number },
  { targets, pod, log }: PortForwardParts,
): Promise<void> {
  const input = channels.readable(2 * index);
  const output = channels.writable(2 * index);
  const failures = channels.writable(2 * index + 1);
  const greeting = Buffer.alloc(2);
  greeting.writeUInt16LE(port);
  output.write(greeting);
  failures.write(greeting);
  let target: Duplex;
  try {
    target = await targets.portForward(pod, port);
  } catch (failure) {
    log.info("port-forward failed", { ...pod, port, error: failure });
    input.destroy();
    await new Promise<void>((resolve) => {
      failures.end(portForwardFailure(pod, port, failure), () => resolve());
    });
    return;
  }
  void channels.gone.then(() => target.destroy());
  // A client cannot end a channel by itself here, so the end of the pod's side is the end of both.
  output.once("finish", () => input.push(null));
  await joinConnections({ input, output }, target);
}
