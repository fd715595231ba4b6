import type { WebSocket } from "ws";
import type { AttachOptions } from "#agent/streams/process-streams.ts";
import type { ProcessChannels } from "#agent/streams/process-channels.ts";
import { createTerminalSizeReader } from "#agent/streams/terminal-size.ts";
import { WebSocketChannels } from "#agent/streams/web-socket-channels.ts";

/** The subprotocols of exec and attach over a WebSocket. */
export const webSocketCommandProtocols: readonly string[] = [
  "v5.channel.k8s.io",
  "v4.channel.k8s.io",
  "v4.base64.channel.k8s.io",
  "v3.channel.k8s.io",
  "v2.channel.k8s.io",
  "channel.k8s.io",
  "base64.channel.k8s.io",
];

const channelNumber = { stdin: 0, stdout: 1, stderr: 2, error: 3, resize: 4 } as const;

/** The server's end of an exec or attach over an open WebSocket. */
export function webSocketCommand(socket: WebSocket, options: AttachOptions): ProcessChannels {
  const channels = new WebSocketChannels(socket, socket.protocol);
  const resize = channels.readable(channelNumber.resize);
  channels.send(greetingChannel(options), Buffer.alloc(0));
  return {
    ...(options.stdin && { stdin: channels.readable(channelNumber.stdin) }),
    ...(options.stdout && { stdout: channels.writable(channelNumber.stdout) }),
    ...(options.stderr && { stderr: channels.writable(channelNumber.stderr) }),
    onResize: (listener) => resize.on("data", createTerminalSizeReader(listener)),
    gone: channels.gone,
    finish: async (endText) => {
      if (endText !== "") channels.send(channelNumber.error, Buffer.from(endText));
      channels.close();
      await channels.gone;
    },
  };
}

/** The first channel the client can read gets an empty message: the sign that it is connected. */
function greetingChannel(options: AttachOptions): number {
  if (options.stdout) return channelNumber.stdout;
  return options.stderr ? channelNumber.stderr : channelNumber.error;
}
